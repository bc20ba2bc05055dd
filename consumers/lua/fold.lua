-- Fold facts into the co-purchase counts. What results is a function of two things only: which items each record bought, and
-- which records each profile holds. So messages may come again, late, or from any offset.
--
--   rb:rec:items:{record}    SET  what the record bought
--   rb:rec:holders:{record}  SET  profiles that hold it (one; two or none while a move is on its way)
--   rb:rec:state:{profile}   HASH version, records, merged_into; pending: records linked by a newer version; withheld: what
--                            it does not consent to, letters of c (to be counted for others) and l (to a list)
--   rb:rec:owned:{profile}   SET  the items counted for the profile, or that its list rests on at least
--   rb:rec:popular           ZSET item -> profiles that own it and are counted
--   rb:rec:co:{item}         ZSET other item -> profiles that own both and are counted
--   rb:rec:{profile}         its list, made from the counts by recommend.lua; rb:rec:stale SET lists that are behind
--
-- ARGV: most items counted a profile; seconds an erased profile is remembered; what a profile withholds whose state did not come
-- yet; JSON list of facts, each one of
--   {k='items', p=profile, v=version, r=record, s=[sku, ...]}
--   {k='state', p=profile, v=version, r=[record, ...], m=merged_into or '', w=withheld or nil}
--   {k='gone',  p=profile}
local MOST, REMEMBER, UNSAID, FACTS = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], cjson.decode(ARGV[4])
local ERASED = 9007199254740991
local touched, order, stale, listless, deltas, kept_back = {}, {}, {}, {}, {}, {}

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

local function withholds(profile, what)
    if not kept_back[profile] then
        local found = redis.call('HMGET', 'rb:rec:state:' .. profile, 'version', 'withheld')
        kept_back[profile] = found[2] or (found[1] and '' or UNSAID)
    end
    return string.find(kept_back[profile], what, 1, true) ~= nil
end

local function keep_pending(profile, pending)
    if next(pending) then
        redis.call('HSET', 'rb:rec:state:' .. profile, 'pending', cjson.encode(pending))
    else
        redis.call('HDEL', 'rb:rec:state:' .. profile, 'pending')
    end
end

local function sample(items) -- an even one that does not depend on the order things came in
    if #items <= MOST then return items end
    local hash = {}
    for _, item in ipairs(items) do hash[item] = redis.sha1hex(item) end
    table.sort(items, function(a, b) return hash[a] < hash[b] end)
    for i = #items, MOST + 1, -1 do items[i] = nil end
    return items
end

local function bump(key, member, by) -- summed over the facts: `write_counts` writes them
    local row = deltas[key]
    if not row then
        row = {}
        deltas[key] = row
    end
    row[member] = (row[member] or 0) + by
end

local function count(item, others, first, by)
    local key = 'rb:rec:co:' .. item
    for i = first, #others do
        bump(key, others[i], by)
        bump('rb:rec:co:' .. others[i], item, by)
    end
end

-- These items, beside others that stay, come to count or no longer do.
local function recount(items, kept, by)
    for i, item in ipairs(items) do
        bump('rb:rec:popular', item, by)
        count(item, kept, 1, by)
        count(item, items, i + 1, by)
    end
end

-- The profile's list is behind; or it has none.
local function list(profile, owns)
    local has = owns and not withholds(profile, 'l') or nil
    stale[profile], listless[profile] = has, not has or nil
end

-- What is counted before and after, by what the profile consents to.
local function withhold(profile, now)
    local counted = not withholds(profile, 'c')
    if kept_back[profile] == now then return end
    local owned = redis.call('SMEMBERS', 'rb:rec:owned:' .. profile)
    kept_back[profile] = now
    local counts = not withholds(profile, 'c')
    if counted ~= counts then recount(owned, {}, counts and 1 or -1) end
    list(profile, next(owned))
end

-- Bring the counts from what the profile owned to what it owns now.
local function change(profile, owned, owns)
    local key, before, now = 'rb:rec:owned:' .. profile, {}, {}
    local kept, added, removed = {}, {}, {}
    for _, item in ipairs(owned) do before[item] = true end
    for _, item in ipairs(owns) do
        now[item] = true
        local list = before[item] and kept or added
        list[#list + 1] = item
    end
    for _, item in ipairs(owned) do
        if not now[item] then removed[#removed + 1] = item end
    end
    if #added + #removed == 0 then return end
    if #removed > 0 then redis.call('SREM', key, unpack(removed)) end -- no more than MOST
    if #added > 0 then redis.call('SADD', key, unpack(added)) end
    if not withholds(profile, 'c') then
        recount(removed, kept, -1)
        recount(added, kept, 1)
    end
    list(profile, next(now))
end

-- Items came on top. The smallest hashes of all its items are among those of what it owned and what came.
local function grow(profile, items)
    if touched[profile] or #items == 0 then return end
    local owned, owns, seen = redis.call('SMEMBERS', 'rb:rec:owned:' .. profile), {}, {}
    for i, item in ipairs(owned) do
        owns[i] = item
        seen[item] = true
    end
    for _, item in ipairs(items) do
        if not seen[item] then
            owns[#owns + 1] = item
            seen[item] = true
        end
    end
    if #owns > #owned then change(profile, owned, sample(owns)) end
end

-- Items may have gone: everything anew.
local function settle(profile)
    local _, records, pending = state(profile)
    for record in pairs(pending) do records[record] = true end
    local seen, items = {}, {}
    for record in pairs(records) do
        for _, item in ipairs(redis.call('SMEMBERS', 'rb:rec:items:' .. record)) do
            if not seen[item] then
                seen[item] = true
                items[#items + 1] = item
            end
        end
    end
    change(profile, redis.call('SMEMBERS', 'rb:rec:owned:' .. profile), sample(items))
end

local function write_counts()
    for key, row in pairs(deltas) do
        for member, by in pairs(row) do
            if by ~= 0 and tonumber(redis.call('ZINCRBY', key, by, member)) <= 0 then
                redis.call('ZREM', key, member)
            end
        end
    end
end

local function write_lists()
    local behind = {}
    for profile in pairs(stale) do behind[#behind + 1] = profile end
    for first = 1, #behind, 1000 do
        redis.call('SADD', 'rb:rec:stale', unpack(behind, first, math.min(first + 999, #behind)))
    end
    for profile in pairs(listless) do
        redis.call('UNLINK', 'rb:rec:' .. profile)
        redis.call('SREM', 'rb:rec:stale', profile)
    end
end

local fold = {}

function fold.items(fact)
    local found = redis.call('HMGET', 'rb:rec:state:' .. fact.p, 'version', 'pending')
    local version, holders, moved = tonumber(found[1]) or 0, 'rb:rec:holders:' .. fact.r, false
    if fact.v > version then -- the state that tells of this link is still on its way
        local pending = found[2] and cjson.decode(found[2]) or {}
        pending[fact.r] = math.max(fact.v, pending[fact.r] or 0)
        keep_pending(fact.p, pending)
        moved = redis.call('SADD', holders, fact.p) == 1
    elseif version == ERASED and redis.call('EXISTS', holders) == 0 then
        return
    end
    local key = 'rb:rec:items:' .. fact.r
    local new = 0
    for first = 1, #fact.s, 1000 do
        new = new + redis.call('SADD', key, unpack(fact.s, first, math.min(first + 999, #fact.s)))
    end
    if moved then grow(fact.p, redis.call('SMEMBERS', key)) end
    if new == 0 then return end
    for _, profile in ipairs(redis.call('SMEMBERS', holders)) do grow(profile, fact.s) end
end

function fold.state(fact)
    local version, records, pending = state(fact.p)
    if fact.v <= version then return end
    local now, waited, kept = {}, next(pending), fact.w or ''
    for _, record in ipairs(fact.r) do now[record] = true end
    for record, since in pairs(pending) do
        records[record] = true
        if since > fact.v then now[record] = true else pending[record] = nil end
    end
    withhold(fact.p, kept)
    redis.call('HSET', 'rb:rec:state:' .. fact.p, 'version', fact.v, 'records', table.concat(fact.r, ' '),
        'merged_into', fact.m)
    if kept ~= '' then
        redis.call('HSET', 'rb:rec:state:' .. fact.p, 'withheld', kept)
    else
        redis.call('HDEL', 'rb:rec:state:' .. fact.p, 'withheld')
    end
    if waited then keep_pending(fact.p, pending) end
    for record in pairs(records) do
        if not now[record] then
            redis.call('SREM', 'rb:rec:holders:' .. record, fact.p)
            touch(fact.p)
        end
    end
    for record in pairs(now) do
        if not records[record] then
            redis.call('SADD', 'rb:rec:holders:' .. record, fact.p)
            grow(fact.p, redis.call('SMEMBERS', 'rb:rec:items:' .. record))
        end
    end
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
    withholds(fact.p, 'c') -- by what it was counted
    -- remembered as long as an old event may come again and name it
    redis.call('DEL', 'rb:rec:state:' .. fact.p)
    redis.call('HSET', 'rb:rec:state:' .. fact.p, 'version', string.format('%.0f', ERASED))
    redis.call('EXPIRE', 'rb:rec:state:' .. fact.p, REMEMBER)
    touch(fact.p)
end

for _, fact in ipairs(FACTS) do fold[fact.k](fact) end
for _, profile in ipairs(order) do settle(profile) end
write_counts()
write_lists()
return #order
