-- Requests of a file, one after the other: `METHOD PATH BODYFILE` a line (`-` where there is no body). By bench/http.py.
local requests, next = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local method, path, file = line:match("^(%S+) (%S+) (%S+)$")
    local body = nil
    if file ~= "-" then
      local opened = assert(io.open(file, "rb"))
      body = opened:read("*a")
      opened:close()
    end
    wrk.headers["Content-Type"] = "application/json"
    requests[#requests + 1] = wrk.format(method, path, wrk.headers, body)
  end
end

function request()
  next = next % #requests + 1
  return requests[next]
end

function done(summary, latency)
  local errors = summary.errors
  local bad = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("RESULT %d %d %d %d\n", summary.requests, summary.duration, bad, latency:percentile(99)))
end
