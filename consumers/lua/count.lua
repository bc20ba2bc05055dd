-- Write what consumers/ownership.py folded: the texts of records and profiles, and by how much the counts change. It
-- is one script so that they never part: what counts for a profile is what its text says.
--
--   rb:rec:record:{record}   JSON what the record bought and who holds it
--   rb:rec:state:{profile}   JSON its newest state, and the items counted for it
--   rb:rec:popular           ZSET item -> profiles that own it
--   rb:rec:co:{item}         ZSET other item -> profiles that own both
--   rb:rec:{profile}         its list, made from the counts by recommend.lua; rb:rec:stale SET lists that are behind
--
-- ARGV: JSON {popular = {item = by}, together = {item = {other = by}}, stale = [profile], listless = [profile],
-- delete = [key], expire = [key], remember_s = seconds the latter live}; then key and text, and again.
local CHANGES = cjson.decode(ARGV[1])
local SLICE = 1000 -- unpack has a limit

local function bump(key, member, by)
    if tonumber(redis.call('ZINCRBY', key, by, member)) <= 0 then redis.call('ZREM', key, member) end
end

local function sliced(list, first, call)
    for i = first, #list, SLICE do call(unpack(list, i, math.min(i + SLICE - 1, #list))) end
end

sliced(ARGV, 2, function(...) redis.call('MSET', ...) end)
sliced(CHANGES.delete, 1, function(...) redis.call('UNLINK', ...) end)
for _, key in ipairs(CHANGES.expire) do redis.call('EXPIRE', key, CHANGES.remember_s) end
for item, by in pairs(CHANGES.popular) do bump('rb:rec:popular', item, by) end
for item, others in pairs(CHANGES.together) do
    local key = 'rb:rec:co:' .. item
    for other, by in pairs(others) do
        bump(key, other, by)
        bump('rb:rec:co:' .. other, item, by)
    end
end
sliced(CHANGES.stale, 1, function(...) redis.call('SADD', 'rb:rec:stale', ...) end)
sliced(CHANGES.listless, 1, function(...) redis.call('SREM', 'rb:rec:stale', ...) end)
