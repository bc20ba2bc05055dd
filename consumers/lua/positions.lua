-- Keep where a consumer stands. KEYS: rb:position:{consumer}. ARGV: field, expected position ('' for none), next
-- position; and again. Returns 0, and keeps nothing, where a position that should be there is gone: then Redis lost
-- the effects too. A position that differs is a replay on its way, and well.
for i = 1, #ARGV, 3 do
    if ARGV[i + 1] ~= '' and redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0 then return 0 end
end
for i = 1, #ARGV, 3 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2]) end
return 1
