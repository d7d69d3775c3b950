-- A body of as many bytes as the path says: /upload/1024.

wrk.method = "POST"
wrk.body = string.rep("x", tonumber(wrk.path:match("%d+$")))
