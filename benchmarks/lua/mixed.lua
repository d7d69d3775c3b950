-- One request in fifty asks for /slow, the others for /quick.

local EVERY = 50
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
