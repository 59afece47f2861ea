import { makeScript, type Script } from './connection.ts'

/**
 * Makes a group on all partitions, from now on; one that exists stays as it is.
 *
 * KEYS: topic, passing, streams. ARGV: partitions, group, milliseconds for which a passing group lives
 * or 0. Answers with the partitions.
 */
export const openScript: Script = makeScript(`
local given = redis.call('HGET', KEYS[1], 'partitions')
if not given then redis.call('HSET', KEYS[1], 'partitions', ARGV[1])
elseif given ~= ARGV[1] then return given end
if ARGV[3] ~= '0' then
  local time = redis.call('TIME')
  redis.call('ZADD', KEYS[2], time[1] * 1000 + ARGV[3], ARGV[2])
end
for at = 3, #KEYS do
  local made = redis.pcall('XGROUP', 'CREATE', KEYS[at], ARGV[2], '$', 'MKSTREAM')
  if made.err and not string.find(made.err, 'BUSYGROUP') then return made end
end
return ARGV[1]`)

/**
 * A sign of life: renews a subscription, and takes partitions that nobody owns up to its share of
 * them. Only here does a partition change hands, and each time it does it gets another token.
 *
 * If there was none for longer than a ttl, all get as long again: then it was Redis that was away, and
 * whoever comes back first must not take what the others have in hand.
 *
 * KEYS: members, paused, lanes, passing, streams. ARGV: member, ttl, partitions, 1 if it is paused,
 * channel of changes, group, milliseconds for which a passing group lives or 0, 1 if lag is wanted.
 * Answers with its share, and partition, token and, if wanted, lag of each that it owns.
 */
export const renewScript: Script = makeScript(`
local members, paused, lanes = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me, ttl = ARGV[1], tonumber(ARGV[2])
local last = tonumber(redis.call('HGET', lanes, 'seen') or now)
if now - last > ttl then
  for _, member in ipairs(redis.call('ZRANGE', members, 0, -1)) do
    redis.call('ZADD', members, now + ttl, member)
  end
end
redis.call('HSET', lanes, 'seen', now)
redis.call('ZREMRANGEBYSCORE', members, '-inf', now)
redis.call('ZREMRANGEBYSCORE', paused, '-inf', now)
local isNew = redis.call('ZADD', members, now + ttl, me) == 1
if ARGV[4] == '1' then redis.call('ZADD', paused, now + ttl, me)
else isNew = redis.call('ZREM', paused, me) == 1 or isNew end
if ARGV[7] ~= '0' then redis.call('ZADD', KEYS[4], now + ARGV[7], ARGV[6]) end
local share = 0
if ARGV[4] ~= '1' then
  local active = redis.call('ZCARD', members) - redis.call('ZCARD', paused)
  share = math.ceil(ARGV[3] / math.max(1, active))
end
local owners, held = redis.call('HGETALL', lanes), {}
for at = 1, #owners, 2 do held[owners[at]] = owners[at + 1] end
local mine, free = {}, {}
for partition = 0, ARGV[3] - 1 do
  local token = held[tostring(partition)]
  local owner = token and string.match(token, '^%S+')
  if owner == me then mine[#mine + 1] = {tostring(partition), token}
  elseif not owner or not redis.call('ZSCORE', members, owner) then free[#free + 1] = partition end
end
for _, partition in ipairs(free) do
  if #mine >= share then break end
  local token = me .. ' ' .. redis.call('HINCRBY', lanes, 'turn', 1)
  redis.call('HSET', lanes, partition, token)
  mine[#mine + 1] = {tostring(partition), token}
end
local keep = ARGV[7] ~= '0' and ARGV[7] or 86400000
for at = 1, 3 do redis.call('PEXPIRE', KEYS[at], keep) end
if isNew then redis.call('PUBLISH', ARGV[5], me) end
if ARGV[8] == '1' then
  for _, lane in ipairs(mine) do
    for _, group in ipairs(redis.pcall('XINFO', 'GROUPS', KEYS[5 + lane[1]])) do
      local fields = {}
      for field = 1, #group, 2 do fields[group[field]] = group[field + 1] end
      if fields['name'] == ARGV[6] then lane[3] = fields['pending'] + (fields['lag'] or 0) end
    end
  end
end
return {share, mine}`)

/**
 * Says goodbye. KEYS: members, paused, lanes, passing, streams. ARGV: member, channel of changes, the
 * group if it ends with this subscription or ''.
 */
export const leaveScript: Script = makeScript(`
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
if ARGV[3] ~= '' then
  for at = 5, #KEYS do redis.pcall('XGROUP', 'DESTROY', KEYS[at], ARGV[3]) end
  redis.call('ZREM', KEYS[4], ARGV[3])
  redis.call('DEL', KEYS[3])
else
  redis.call('PUBLISH', ARGV[2], ARGV[1])
end
return 1`)
