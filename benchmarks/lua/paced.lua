-- One request in fifty asks for /slow, the others for /quick; each connection pauses before a request, 32 ms on average.

local EVERY = 50
local PAUSE_MS = 64
local quick, slow
local turn = 0

function init(args)
  quick = wrk.format("GET", "/quick")
  slow = wrk.format("GET", "/slow")
end

function request()
  turn = turn % EVERY + 1
  if turn == EVERY then return slow end
  return quick
end

function delay()
  return math.random(0, PAUSE_MS)
end
