-- Keep the newest state of each profile: compare-and-set by version, so an old message never overwrites a newer one.
-- KEYS: rb:profile:{id}, one a message. ARGV: version and state of each, in the same order; version '' erases.
-- Returns how many changed anything.
local changed = 0
for i, key in ipairs(KEYS) do
    local version, state = ARGV[2 * i - 1], ARGV[2 * i]
    if version == '' then
        changed = changed + redis.call('UNLINK', key)
    elseif (tonumber(redis.call('HGET', key, 'version')) or 0) < tonumber(version) then
        redis.call('HSET', key, 'version', version, 'state', state)
        changed = changed + 1
    end
end
return changed
