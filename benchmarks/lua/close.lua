-- A client that wants a connection for each request.

wrk.headers["Connection"] = "close"
