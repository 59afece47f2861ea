import { makeScript, type Script } from './connection.ts'
import type { Commands } from './transactor.ts'

/** Of all groups: what is pending belongs to the partition, whoever owns that. */
const consumer = 'micro'

/** Settles ids, and all that is pending under consumers; they come in one string. */
const settling = `
local function settle(list)
  local ids = {}
  for name in string.gmatch(list, '%S+') do
    if string.find(name, '^%d') then ids[#ids + 1] = name
    else
      local gone = redis.pcall('XGROUP', 'DELCONSUMER', stream, group, name)
      if type(gone) == 'table' and not string.find(gone.err, 'NOGROUP') then error(gone.err) end
    end
    if #ids == 1000 then
      redis.call('XACK', stream, group, unpack(ids))
      ids = {}
    end
  end
  if #ids > 0 then redis.call('XACK', stream, group, unpack(ids)) end
end
`

/** Nothing but for its owner. */
const fence = `
local topic, lanes, stream = KEYS[1], KEYS[2], KEYS[3]
local partition, token, group = ARGV[1], ARGV[2], ARGV[3]
if redis.call('HGET', lanes, partition) ~= token then return false end
${settling}
local function claim(id, count)
  return redis.call('XCLAIM', stream, group, '${consumer}', 0, id, 'RETRYCOUNT', count)
end
`

/**
 * Settles, and reads on. What was pending before comes first, if asked for.
 *
 * KEYS: topic, lanes, stream. ARGV: partition, token, group, how many to read or 0, id after which
 * pending ones are wanted, '-' for all, or '' for new ones; 1 if those count as delivered once more;
 * position from which a group that has gone is made anew; what to settle.
 * Answers with nil for who does not own it, or with 1 if there may be more pending ones, and entries as
 * id and fields; and times delivered, where it is not once.
 */
export const readScript: Script = makeScript(`${fence}
settle(ARGV[8])
local most, from = tonumber(ARGV[4]), ARGV[5]
local entries = {}
if most == 0 then return {0, entries} end
if from ~= '' then
  local pending = redis.pcall('XPENDING', stream, group, from, '+', most)
  for _, one in ipairs(pending) do
    local times = one[4] + ARGV[6]
    local claimed = claim(one[1], times)[1]
    if claimed then entries[#entries + 1] = {claimed[1], claimed[2], times}
    else redis.call('XACK', stream, group, one[1]) end
  end
  if not pending.err and #pending > 0 then return {1, entries} end
end
local read = {'XREADGROUP', 'GROUP', group, '${consumer}', 'COUNT', most, 'STREAMS', stream, '>'}
local found = redis.pcall(unpack(read))
if found and found.err then
  if not string.find(found.err, 'NOGROUP') then return found end
  local last = ARGV[7]
  local info = redis.pcall('XINFO', 'STREAM', stream)
  local start = '0'
  if not info.err then
    for at = 1, #info, 2 do
      if info[at] == 'last-generated-id' then
        local ams, aseq = string.match(info[at + 1], '^(%d+)-(%d+)$')
        local bms, bseq = string.match(last, '^(%d+)-(%d+)$')
        ams, aseq, bms, bseq = tonumber(ams), tonumber(aseq), tonumber(bms), tonumber(bseq)
        if bms < ams or (bms == ams and bseq <= aseq) then start = last end
      end
    end
  end
  redis.call('XGROUP', 'CREATE', stream, group, start, 'MKSTREAM')
  found = redis.call(unpack(read))
end
if found then entries = found[1][2] end
if #entries < most then redis.pcall('HSET', topic, stream, 1) end
return {0, entries}`)

/**
 * Comes after a plain read in the same transaction, and settles. Scripts that answer with entries cost
 * twice as much as the read itself, so where much waits this is how it is read.
 *
 * Who read and does not own it has taken entries that its owner will not see. So the owner loses it,
 * too: whoever has it next begins with all that is pending, and no later entry overtakes these.
 *
 * KEYS: lanes, stream. ARGV: partition, token, group, channel of changes, what to settle. Answers
 * with nil for who does not own it, or with 1.
 */
const settleScript = `
local lanes, stream, group = KEYS[1], KEYS[2], ARGV[3]
if redis.pcall('HGET', lanes, ARGV[1]) ~= ARGV[2] then
  redis.pcall('HDEL', lanes, ARGV[1])
  redis.pcall('PUBLISH', ARGV[4], ARGV[1])
  return false
end
${settling}
settle(ARGV[5])
return 1`

export interface PlainRead {
  readonly keys: readonly [topic: string, lanes: string, stream: string]
  readonly head: readonly [partition: string, token: string, group: string]
  readonly changes: string
  readonly wanted: number
  readonly settled: string
  readonly consumer: string
}

/**
 * Commands of one transaction: reads new entries, and settles. The script goes along in full, since one
 * that Redis did not know would leave the read without its check.
 */
export function plainRead({ keys, head, changes, wanted, settled, consumer }: PlainRead): Commands {
  const [, lanes, stream] = keys
  const [, , group] = head
  return [
    ['XREADGROUP', ['GROUP', group, consumer, 'COUNT', wanted, 'STREAMS', stream, '>']],
    ['EVAL', [settleScript, 2, lanes, stream, ...head, changes, settled]],
  ]
}

/**
 * Puts another token in the place of one with which a request has had no answer: should that one run
 * later, it reads nothing that its owner would not see. ARGV: partition, token, group, the other token.
 * Answers with nil for who does not own it.
 */
export const secureScript: Script = makeScript(`
local known = redis.call('HGET', KEYS[2], ARGV[1])
if known ~= ARGV[2] and known ~= ARGV[4] then return false end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[4])
return 1`)

/**
 * One that has failed is about to be delivered again. ARGV: partition, token, group, id. Answers with
 * nil for who does not own it, 0 for one that is no longer there, or how often it will have been.
 */
export const againScript: Script = makeScript(`${fence}
local pending = redis.call('XPENDING', stream, group, ARGV[4], ARGV[4], 1)[1]
if not pending then return 0 end
local times = pending[4] + 1
if not claim(ARGV[4], times)[1] then return 0 end
return times`)

/**
 * Gives the partition up. What was read and not delivered does not count as delivered.
 *
 * ARGV: partition, token, group, channel of changes, what to settle, then id and times
 * delivered of what is put back.
 */
export const releaseScript: Script = makeScript(`${fence}
settle(ARGV[5])
for at = 6, #ARGV, 2 do
  redis.pcall('XCLAIM', stream, group, '${consumer}', 0, ARGV[at], 'RETRYCOUNT', ARGV[at + 1], 'JUSTID')
end
redis.call('HDEL', lanes, partition)
redis.call('PUBLISH', ARGV[4], partition)
return 1`)
