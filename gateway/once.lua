-- Puts ARGV[2] in the place of ARGV[1] for ARGV[3] seconds, or nothing where it is empty; only if ARGV[1] stands there.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
end
return 1
