-- Keep the newest windows of one kind only. KEYS: rb:insights:{window}. ARGV: how many stay.
local old = redis.call('ZRANGE', KEYS[1], 0, -1 - tonumber(ARGV[1]))
for _, start in ipairs(old) do
    redis.call('ZREM', KEYS[1], start)
    redis.call('UNLINK', KEYS[1] .. ':' .. start)
end
return #old
