-- Make the list of a profile from who owns what (see fold.lua): item-to-item collaborative filtering with cosine
-- similarity, co(i, j) / sqrt(n(i) n(j)) (Sarwar et al., WWW 2001; Linden, Smith, York, IEEE Internet Computing 2003),
-- summed over the items owned. co(i, j), how many own both, is counted among the owners of i; of many, among those
-- with the smallest hashes, and then it is their share. Owned items are left out; ties go by name, so a list is a
-- function of who owns what alone.
-- ARGV: longest list; owners looked at, of all items together; seconds the list lives; profile. Returns it as JSON.
local LONGEST, OWNERS, TTL, PROFILE = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]

local popularity = {}
local function owners_of(item)
    if not popularity[item] then
        popularity[item] = tonumber(redis.call('ZSCORE', 'rb:rec:popular', item)) or 1
    end
    return popularity[item]
end

local owned = redis.call('SMEMBERS', 'rb:rec:owned:' .. PROFILE)
table.sort(owned) -- sums of floats depend on their order
local basket = {[PROFILE] = {}} -- of each owner met: what it owns beside what the profile owns
local mine = {}
for _, item in ipairs(owned) do mine[item] = true end

local function others(owner)
    if not basket[owner] then
        local found = {}
        for _, item in ipairs(redis.call('SMEMBERS', 'rb:rec:owned:' .. owner)) do
            if not mine[item] then found[#found + 1] = item end
        end
        basket[owner] = found
    end
    return basket[owner]
end

local score, best, because, found = {}, {}, {}, {}
local share = math.max(1, math.floor(OWNERS / math.max(1, #owned)))
for _, item in ipairs(owned) do
    local together, near = {}, redis.call('ZRANGE', 'rb:rec:owners:' .. item, 0, share - 1)
    for _, owner in ipairs(near) do
        for _, other in ipairs(others(owner)) do together[other] = (together[other] or 0) + 1 end
    end
    local all = math.max(1, owners_of(item) / math.max(1, #near))
    for other, count in pairs(together) do
        local weight = count * all / math.sqrt(owners_of(item) * owners_of(other))
        if not score[other] then
            score[other], best[other] = 0, 0
            found[#found + 1] = other
        end
        score[other] = score[other] + weight
        if weight > best[other] then best[other], because[other] = weight, item end
    end
end
table.sort(found, function(a, b)
    if score[a] ~= score[b] then return score[a] > score[b] end
    return a < b
end)

local list = {}
for i = 1, math.min(#found, LONGEST) do
    local sku = found[i]
    list[i] = {sku = sku, score = math.floor(score[sku] * 1e6 + 0.5) / 1e6, because = because[sku]}
end
local text = #list > 0 and cjson.encode(list) or '[]'
redis.call('SET', 'rb:rec:' .. PROFILE, text, 'EX', TTL)
return text
