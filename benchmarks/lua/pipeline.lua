-- Sixteen requests at once, in one send.

local requests

function init(args)
  requests = string.rep(wrk.format("GET"), 16)
end

function request()
  return requests
end
