-- Sliding window counter. KEYS: the caller's previous and current window.
-- ARGV: limit, share of the previous window that still counts (0..1), seconds the counts are kept.
-- Returns {1 where the request passes, count of the previous window, count of this one before the request}.
local before = tonumber(redis.call('GET', KEYS[1]) or '0')
local current = tonumber(redis.call('GET', KEYS[2]) or '0')
if before * tonumber(ARGV[2]) + current >= tonumber(ARGV[1]) then
  return {0, before, current}
end
redis.call('INCR', KEYS[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return {1, before, current}
