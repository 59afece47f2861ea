import { makeScript, type Script } from './connection.ts'

/**
 * Adds calls of a publisher: each of them whole or not at all. A batch that has been added already is
 * told by its number, so that one whose answer was lost can be sent again.
 *
 * KEYS: topic, publisher, streams. ARGV: partitions, number of the batch, maxLength, calls; of each
 * call its messages; of each message the index of its stream, how many fields and values, and these.
 * Answers with 'partitions' and what they are, or for each call 0, or the partition + 1 that is full.
 */
export const publishScript: Script = makeScript(`
local given = redis.call('HGET', KEYS[1], 'partitions')
if not given then redis.call('HSET', KEYS[1], 'partitions', ARGV[1])
elseif given ~= ARGV[1] then return {'partitions', given} end
local known = redis.call('GET', KEYS[2])
if known then
  local number, answer = string.match(known, '^(%d+) (.*)$')
  if number == ARGV[2] then return cjson.decode(answer) end
end
local most, at, answers, room, added = tonumber(ARGV[3]), 5, {}, {}, {}
for call = 1, tonumber(ARGV[4]) do
  local messages = tonumber(ARGV[at])
  local first, wanted, full = at + 1, {}, 0
  at = first
  for _ = 1, messages do
    local stream = tonumber(ARGV[at])
    wanted[stream] = (wanted[stream] or 0) + 1
    at = at + 2 + tonumber(ARGV[at + 1])
  end
  for stream, count in pairs(wanted) do
    if not room[stream] then room[stream] = most - redis.call('XLEN', KEYS[stream]) end
    if room[stream] < count then full = stream end
  end
  if full == 0 then
    local from = first
    for _ = 1, messages do
      local stream, fields = tonumber(ARGV[from]), tonumber(ARGV[from + 1])
      redis.call('XADD', KEYS[stream], '*', unpack(ARGV, from + 2, from + 1 + fields))
      room[stream] = room[stream] - 1
      added[stream] = true
      from = from + 2 + fields
    end
  end
  answers[call] = full
end
for stream in pairs(added) do
  if redis.call('HDEL', KEYS[1], KEYS[stream]) == 1 then
    redis.call('PUBLISH', KEYS[stream] .. ':wake', '')
  end
end
redis.call('SET', KEYS[2], ARGV[2] .. ' ' .. cjson.encode(answers), 'PX', 600000)
return answers`)

/**
 * Removes what every group has settled, and groups whose only subscription has gone. Where there is no
 * group, the older half of what is kept.
 *
 * KEYS: passing, streams. ARGV: maxLength, messages that need room. Answers with the slowest group of
 * each stream that has none.
 */
export const trimScript: Script = makeScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local most, wanted = tonumber(ARGV[1]), tonumber(ARGV[2])
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)
local function parse(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local function before(a, b)
  local ams, aseq = parse(a)
  local bms, bseq = parse(b)
  return ams < bms or (ams == bms and aseq < bseq)
end
local answers = {}
for at = 2, #KEYS do
  local stream = KEYS[at]
  if redis.call('EXISTS', stream) == 1 then
    for _, group in ipairs(gone) do redis.call('XGROUP', 'DESTROY', stream, group) end
    local floor, slowest
    for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
      local fields = {}
      for field = 1, #group, 2 do fields[group[field]] = group[field + 1] end
      local from = fields['last-delivered-id']
      if fields['pending'] > 0 then from = redis.call('XPENDING', stream, fields['name'])[2] end
      if not floor or before(from, floor) then floor, slowest = from, fields['name'] end
    end
    local full = redis.call('XLEN', stream) + wanted > most
    if floor then redis.call('XTRIM', stream, 'MINID', full and '=' or '~', floor)
    elseif full then redis.call('XTRIM', stream, 'MAXLEN', math.max(0, math.floor(most / 2))) end
    if redis.call('XLEN', stream) + wanted > most then
      answers[#answers + 1] = stream
      answers[#answers + 1] = slowest or ''
    end
  end
end
for _, group in ipairs(gone) do redis.call('ZREM', KEYS[1], group) end
return answers`)
