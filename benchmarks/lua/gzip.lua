-- A client that takes gzip.

wrk.headers["Accept-Encoding"] = "gzip"
