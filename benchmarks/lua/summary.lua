-- What wrk counted, as one line of JSON; appended to every script. wrk calls done() once, after the run.

local COUNTED = '\n{"requests": %d, "refused": %d, "broken": %d, "timeouts": %d, "bytes": %d, "seconds": %.6f, '
  .. '"p50_ms": %.3f, "p99_ms": %.3f}\n'

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(COUNTED, summary.requests, errors.status, errors.connect + errors.read + errors.write,
    errors.timeout, summary.bytes, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
