-- Make the lists of profiles from the co-purchase counts (see fold.lua): item-to-item collaborative filtering with
-- cosine similarity, co(i, j) / sqrt(n(i) n(j)) (Sarwar et al., WWW 2001; Linden, Smith, York, IEEE Internet
-- Computing 2003), summed over the items owned. Owned items are left out; ties go by name, so a list is a function
-- of the counts alone.
-- A profile that withholds its consent to a list has none.
-- ARGV: longest list; neighbours looked at an item; seconds a list lives; what a profile withholds whose state did not come yet;
-- how many stale lists to take on; profiles.
-- Returns the number of lists made.
local LONGEST, BREADTH, TTL, UNSAID, TAKE = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5])
local profiles = {unpack(ARGV, 6)}
if TAKE > 0 then
    for _, profile in ipairs(redis.call('SPOP', 'rb:rec:stale', TAKE)) do profiles[#profiles + 1] = profile end
end

local owners = {}
local function popularity(item)
    if not owners[item] then owners[item] = tonumber(redis.call('ZSCORE', 'rb:rec:popular', item)) or 1 end
    return owners[item]
end

local function candidates(owned)
    local mine, score, best, because, found = {}, {}, {}, {}, {}
    for _, item in ipairs(owned) do mine[item] = true end
    for _, item in ipairs(owned) do
        local near = redis.call('ZREVRANGE', 'rb:rec:co:' .. item, 0, BREADTH - 1, 'WITHSCORES')
        for i = 1, #near, 2 do
            local other = near[i]
            if not mine[other] then
                local weight = tonumber(near[i + 1]) / math.sqrt(popularity(item) * popularity(other))
                if not score[other] then
                    score[other], best[other] = 0, 0
                    found[#found + 1] = other
                end
                score[other] = score[other] + weight
                if weight > best[other] then best[other], because[other] = weight, item end
            end
        end
    end
    table.sort(found, function(a, b)
        if score[a] ~= score[b] then return score[a] > score[b] end
        return a < b
    end)
    return found, score, because
end

local function is_withheld(profile)
    local found = redis.call('HMGET', 'rb:rec:state:' .. profile, 'version', 'withheld')
    return string.find(found[2] or (found[1] and '' or UNSAID), 'l', 1, true)
end

local function make(profile)
    local owned = redis.call('SMEMBERS', 'rb:rec:owned:' .. profile)
    table.sort(owned) -- sums of floats depend on their order
    local found, score, because = candidates(owned)
    local list = {}
    for i = 1, math.min(#found, LONGEST) do
        local sku = found[i]
        list[i] = {sku = sku, score = math.floor(score[sku] * 1e6 + 0.5) / 1e6, because = because[sku]}
    end
    redis.call('SET', 'rb:rec:' .. profile, #list > 0 and cjson.encode(list) or '[]', 'EX', TTL)
end

for _, profile in ipairs(profiles) do
    if is_withheld(profile) then redis.call('UNLINK', 'rb:rec:' .. profile) else make(profile) end
    redis.call('SREM', 'rb:rec:stale', profile)
end
return #profiles
