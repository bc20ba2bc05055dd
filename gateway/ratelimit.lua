-- Sliding window counters for many requests, one after the other.
-- KEYS: of each quota of each request the previous and the current window.
-- ARGV: share of the previous window that still counts (0..1), seconds the counts are kept, then of each request how
-- many quotas it has, and their limits.
-- Counts a request where all its quotas let it pass, else nowhere.
-- Returns of each quota of each request the counts of the previous and of this window before the request.
local answer, key, at = {}, 0, 3
while ARGV[at] do
  local quotas, passes = tonumber(ARGV[at]), true
  for i = 1, quotas do
    local before = tonumber(redis.call('GET', KEYS[key + 2 * i - 1]) or '0')
    local current = tonumber(redis.call('GET', KEYS[key + 2 * i]) or '0')
    passes = passes and before * tonumber(ARGV[1]) + current < tonumber(ARGV[at + i])
    answer[#answer + 1], answer[#answer + 2] = before, current
  end
  if passes then
    for i = 1, quotas do
      redis.call('INCR', KEYS[key + 2 * i])
      redis.call('EXPIRE', KEYS[key + 2 * i], ARGV[2])
    end
  end
  key, at = key + 2 * quotas, at + 1 + quotas
end
return answer
