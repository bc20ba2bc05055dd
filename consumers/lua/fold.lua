-- Fold facts into the co-purchase counts. What results is a function of two things only: which items each record
-- bought, and which records each profile holds. So messages may come again, late, or from any offset.
--
--   rb:rec:items:{record}    SET  what the record bought
--   rb:rec:holders:{record}  SET  profiles that hold it (one; two or none while a move is on its way)
--   rb:rec:state:{profile}   HASH version, records, merged_into; pending: records linked by a newer version
--   rb:rec:owned:{profile}   SET  the items counted for the profile
--   rb:rec:popular           ZSET item -> profiles that own it
--   rb:rec:co:{item}         ZSET other item -> profiles that own both
--   rb:rec:{profile}         its list, made from the counts by recommend.lua;  rb:rec:stale SET lists to make anew
--
-- ARGV: most items counted a profile; seconds an erased profile is remembered; JSON list of facts, each one of
--   {k='items', p=profile, v=version, r=record, s=[sku, ...]}
--   {k='state', p=profile, v=version, r=[record, ...], m=merged_into or ''}
--   {k='gone',  p=profile}
local MOST, REMEMBER, FACTS = tonumber(ARGV[1]), tonumber(ARGV[2]), cjson.decode(ARGV[3])
local ERASED = 9007199254740991
local touched, order = {}, {}

local function touch(profile)
    if not touched[profile] then
        touched[profile] = true
        order[#order + 1] = profile
    end
end

local function state(profile)
    local found = redis.call('HMGET', 'rb:rec:state:' .. profile, 'version', 'records', 'pending')
    local records = {}
    for record in string.gmatch(found[2] or '', '%S+') do records[record] = true end
    return tonumber(found[1]) or 0, records, found[3] and cjson.decode(found[3]) or {}
end

local function keep_pending(profile, pending)
    if next(pending) then
        redis.call('HSET', 'rb:rec:state:' .. profile, 'pending', cjson.encode(pending))
    else
        redis.call('HDEL', 'rb:rec:state:' .. profile, 'pending')
    end
end

local fold = {}

function fold.items(fact)
    local holders = 'rb:rec:holders:' .. fact.r
    local version, _, pending = state(fact.p)
    if fact.v > version then -- the state that tells of this link is still on its way
        pending[fact.r] = math.max(fact.v, pending[fact.r] or 0)
        keep_pending(fact.p, pending)
        redis.call('SADD', holders, fact.p)
        touch(fact.p)
    elseif version == ERASED and redis.call('EXISTS', holders) == 0 then
        return
    end
    if redis.call('SADD', 'rb:rec:items:' .. fact.r, unpack(fact.s)) > 0 then
        for _, profile in ipairs(redis.call('SMEMBERS', holders)) do touch(profile) end
    end
end

function fold.state(fact)
    local version, records, pending = state(fact.p)
    if fact.v <= version then return end
    local now = {}
    for _, record in ipairs(fact.r) do now[record] = true end
    for record, since in pairs(pending) do
        records[record] = true
        if since > fact.v then now[record] = true else pending[record] = nil end
    end
    for record in pairs(records) do
        if not now[record] then redis.call('SREM', 'rb:rec:holders:' .. record, fact.p) end
    end
    for record in pairs(now) do redis.call('SADD', 'rb:rec:holders:' .. record, fact.p) end
    redis.call('HSET', 'rb:rec:state:' .. fact.p, 'version', fact.v, 'records', table.concat(fact.r, ' '),
        'merged_into', fact.m)
    keep_pending(fact.p, pending)
    touch(fact.p)
end

function fold.gone(fact)
    local _, records, pending = state(fact.p)
    for record in pairs(pending) do records[record] = true end
    for record in pairs(records) do
        redis.call('SREM', 'rb:rec:holders:' .. record, fact.p)
        if redis.call('EXISTS', 'rb:rec:holders:' .. record) == 0 then
            redis.call('UNLINK', 'rb:rec:items:' .. record)
        end
    end
    -- remembered as long as an old event may come again and name it
    redis.call('DEL', 'rb:rec:state:' .. fact.p)
    redis.call('HSET', 'rb:rec:state:' .. fact.p, 'version', string.format('%.0f', ERASED))
    redis.call('EXPIRE', 'rb:rec:state:' .. fact.p, REMEMBER)
    touch(fact.p)
end

local function items_of(profile)
    local _, records, pending = state(profile)
    for record in pairs(pending) do records[record] = true end
    local keys, seen, items = {}, {}, {}
    for record in pairs(records) do keys[#keys + 1] = 'rb:rec:items:' .. record end
    for first = 1, #keys, 1000 do
        for _, item in ipairs(redis.call('SUNION', unpack(keys, first, math.min(first + 999, #keys)))) do
            if not seen[item] then
                seen[item] = redis.sha1hex(item)
                items[#items + 1] = item
            end
        end
    end
    if #items > MOST then -- an even sample that does not depend on the order things came in
        table.sort(items, function(a, b) return seen[a] < seen[b] end)
        for i = #items, MOST + 1, -1 do items[i] = nil end
    end
    return items
end

local function bump(key, member, by)
    if tonumber(redis.call('ZINCRBY', key, by, member)) <= 0 then redis.call('ZREM', key, member) end
end

local function count(item, others, by)
    for _, other in ipairs(others) do
        bump('rb:rec:co:' .. item, other, by)
        bump('rb:rec:co:' .. other, item, by)
    end
end

-- Bring the counts from what the profile owned to what it owns now.
local function settle(profile)
    local key, before, now = 'rb:rec:owned:' .. profile, {}, {}
    local kept, added, removed = {}, {}, {}
    for _, item in ipairs(redis.call('SMEMBERS', key)) do before[item] = true end
    for _, item in ipairs(items_of(profile)) do
        now[item] = true
        local list = before[item] and kept or added
        list[#list + 1] = item
    end
    for item in pairs(before) do
        if not now[item] then removed[#removed + 1] = item end
    end
    if #added + #removed == 0 then return end
    for i, item in ipairs(removed) do
        redis.call('SREM', key, item)
        bump('rb:rec:popular', item, -1)
        count(item, kept, -1)
        count(item, {unpack(removed, i + 1)}, -1)
    end
    for i, item in ipairs(added) do
        redis.call('SADD', key, item)
        bump('rb:rec:popular', item, 1)
        count(item, kept, 1)
        count(item, {unpack(added, i + 1)}, 1)
    end
    redis.call('UNLINK', 'rb:rec:' .. profile)
    redis.call(next(now) and 'SADD' or 'SREM', 'rb:rec:stale', profile)
end

for _, fact in ipairs(FACTS) do fold[fact.k](fact) end
for _, profile in ipairs(order) do settle(profile) end
return #order
