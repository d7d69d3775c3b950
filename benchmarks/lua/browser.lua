-- The ten fields of a browser; path and cookie differ from request to request, or query and cookie where wrk is given a
-- path. All of it is prepared before the first request, so that a request costs wrk one look-up in a table.

local COUNT = 4096
local requests = {}
local turn = 0

function init(args)
  for i = 1, COUNT do
    local target = wrk.path .. "?version=" .. i
    if wrk.path == "/" then target = string.format("/articles/%d/comments?page=%d", 10000 + i, i % 7 + 1) end
    local session = string.format("%08x%08x%08x%08x", i * 2654435761 % 4294967296, i * 40503, i * 69069, i)
    requests[i] = table.concat({
      "GET " .. target .. " HTTP/1.1",
      "Host: " .. wrk.headers["Host"],
      "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
      "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
      "Accept-Language: en-US,en;q=0.9,de;q=0.7",
      "Accept-Encoding: gzip, deflate, br, zstd",
      "Referer: http://" .. wrk.headers["Host"] .. "/articles/",
      "Connection: keep-alive",
      "Cookie: session=" .. session .. "; theme=dark; consent=yes",
      "Upgrade-Insecure-Requests: 1",
      "Sec-Fetch-Mode: navigate",
      "", "",
    }, "\r\n")
  end
end

function request()
  turn = turn % COUNT + 1
  return requests[turn]
end
