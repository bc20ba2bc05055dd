-- Sliding window counters. KEYS: of each quota the previous and the current window.
-- ARGV: share of the previous window that still counts (0..1), seconds the counts are kept, then each quota's limit.
-- Counts the request where all quotas let it pass, else nowhere.
-- Returns {1 where it passes, then of each quota the counts of the previous and of this window before the request}.
local answer = {1}
for i = 1, #KEYS / 2 do
  local before = tonumber(redis.call('GET', KEYS[2 * i - 1]) or '0')
  local current = tonumber(redis.call('GET', KEYS[2 * i]) or '0')
  if before * tonumber(ARGV[1]) + current >= tonumber(ARGV[i + 2]) then
    answer[1] = 0
  end
  answer[2 * i], answer[2 * i + 1] = before, current
end
if answer[1] == 1 then
  for i = 1, #KEYS / 2 do
    redis.call('INCR', KEYS[2 * i])
    redis.call('EXPIRE', KEYS[2 * i], ARGV[2])
  end
end
return answer
