import { expect, test } from 'vitest'
import { createKafkaErrors } from '../src/errors.ts'
import { createLanes, type LanesOptions } from '../src/lanes.ts'
import { choosePartition } from '../src/partition-choice.ts'
import { type LaneRecord, toDeliveries } from '../src/records.ts'
import { decodeOwned, encodeOwned, spread } from '../src/sticky.ts'

test('without a key partitions take turns', () => {
  const partitions = [0, 1, 2].map((partitionId) => ({ partitionId, leader: 1 }))
  const chosen = Array.from({ length: 9 }, () => choosePartition(partitions, null))
  for (const partition of [0, 1, 2]) {
    expect(chosen.filter((one) => one === partition)).toHaveLength(3)
  }
})

test.each([
  [0, 3],
  [1, 3],
  [7, 3],
  [12, 5],
  [5, 1],
])('%i partitions spread over %i members', (count, size) => {
  const partitions = Array.from({ length: count }, (_, at) => at)
  const members = Array.from({ length: size }, (_, at) => `m${at}`)
  // From nothing, and from what any of them may claim: all, what others claim too, what is not there.
  for (const claim of [[], partitions, [0, 99], partitions.filter((at) => at % 2 === 0)]) {
    const assigned = spread(partitions, new Map(members.map((member) => [member, claim])))
    const sizes = [...assigned.values()].map((own) => own.length)
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
    expect([...assigned.values()].flat().toSorted((a, b) => a - b)).toEqual(partitions)
  }
})

test('a member that joins moves no more partitions than it gets', () => {
  const before = new Map([
    ['a', [0, 2, 4]],
    ['b', [1, 3, 5]],
    ['c', []],
  ])
  const after = spread([0, 1, 2, 3, 4, 5], before)
  expect(after.get('c')).toHaveLength(2)
  for (const member of ['a', 'b']) {
    expect(before.get(member)).toEqual(expect.arrayContaining(after.get(member) ?? []))
  }
  expect(spread([0, 1, 2, 3, 4, 5], after)).toEqual(after)
})

const { toMicroError, isOfType } = createKafkaErrors(
  (error) => [(error as { type?: unknown }).type, (error as { name?: unknown }).name],
  { Unable: ['unimplemented', 'the library cannot do what this needs'] },
)

test('errors are told by code and with the fix, however deep they are', () => {
  const inner = Object.assign(new Error('no'), { type: 'TOPIC_AUTHORIZATION_FAILED' })
  const many = Object.assign(new Error('several'), { errors: [new Error('x'), inner] })
  const error = toMicroError(new Error('outer', { cause: many }), 'publishing to a')
  expect(error).toMatchObject({
    code: 'permission_denied',
    detail: expect.stringContaining('grant'),
  })
  expect(error.detail).toContain('publishing to a')
  expect(toMicroError(new Error('gone'), 'x').code).toBe('unavailable')
  expect(toMicroError('text', 'x').code).toBe('unavailable')
  const loop = new Error('loop')
  loop.cause = loop
  expect(toMicroError(loop, 'x').code).toBe('unavailable')
  const own = Object.assign(new Error('own'), { name: 'Unable' })
  expect(toMicroError(own, 'x').code).toBe('unimplemented')
  expect(isOfType(new Error('outer', { cause: many }), 'TOPIC_AUTHORIZATION_FAILED')).toBe(true)
  expect(isOfType(many, 'GROUP_AUTHORIZATION_FAILED')).toBe(false)
  // A name that every object has is no name of an error.
  expect(toMicroError({ type: 'constructor' }, 'x').code).toBe('unavailable')
})

test('what a member owns is told, and what others tell is no harm', () => {
  expect(decodeOwned(encodeOwned([3, 1]))).toEqual([3, 1])
  for (const data of [null, undefined, Buffer.alloc(0), Buffer.from('{"a":1}'), Buffer.from('[')]) {
    expect(decodeOwned(data)).toEqual([])
  }
})

test('headers come by name or in pairs; of one that comes twice the last counts', () => {
  const headers = [
    { h: ['1', Buffer.from('2')], other: Buffer.from('ä') },
    [
      [Buffer.from('h'), Buffer.from('1')],
      [Buffer.from('other'), Buffer.from('ä')],
      [Buffer.from('h'), Buffer.from('2')],
      [null, Buffer.from('x')],
      [Buffer.from('none'), null],
    ] as const,
  ]
  for (const given of headers) {
    const [delivery] = toDeliveries(0, [{ ...record(0), headers: given }])
    expect(delivery?.headers).toEqual({ h: '2', other: 'ä' })
  }
})

const record = (offset: number, size = 1): LaneRecord => ({
  offset: String(offset),
  key: null,
  value: Buffer.alloc(size, offset),
  headers: undefined,
  timestamp: '0',
})
const openLanes = (more: Partial<LanesOptions> = {}) => {
  const seen: string[] = []
  const lanes = createLanes({
    batch: 1,
    prefetch: 1_000_000,
    hold: () => undefined,
    onSettled: () => undefined,
    deliver: async (_lane, batch) => {
      seen.push(...batch.map(({ id }) => id))
      return batch.map(() => 'ack')
    },
    ...more,
  })
  lanes.suspended = false
  return { lanes, seen }
}

test('what is fetched twice is handled once; marks of transactions are passed over', async () => {
  const { lanes, seen } = openLanes()
  lanes.assign(new Map([[0, 5]]))
  lanes.accept(0, [record(5), record(6)], 7, 7)
  lanes.accept(0, [record(6), record(7)], 9, 9)
  await expect.poll(() => seen).toEqual(['0-5', '0-6', '0-7'])
  await expect.poll(() => lanes.uncommitted()).toEqual(new Map([[0, 9]]))
  lanes.accept(0, [], 12, 12)
  expect(lanes.uncommitted()).toEqual(new Map([[0, 12]]))
})

test('a partition that was cut, or made anew, is read from its new start', async () => {
  const { lanes, seen } = openLanes()
  lanes.assign(new Map([[0, 100]]))
  lanes.accept(0, [record(0), record(1)], 2, 2)
  await expect.poll(() => lanes.uncommitted()).toEqual(new Map([[0, 2]]))
  expect(seen).toEqual(['0-0', '0-1'])
})

test('a lane goes on after a rebalance, unless somebody else has gone further', async () => {
  const { lanes, seen } = openLanes()
  lanes.assign(new Map([[0, 0]]))
  lanes.accept(0, [record(0), record(1)], 2, 2)
  await expect.poll(() => lanes.uncommitted()).toEqual(new Map([[0, 2]]))
  lanes.assign(new Map([[0, 0]]))
  expect(lanes.position(0)).toMatchObject({ next: 2, settled: 2 })
  lanes.assign(new Map([[0, 50]]))
  expect(lanes.position(0)).toMatchObject({ next: 50, settled: 50 })
  lanes.assign(new Map())
  lanes.accept(0, [record(50)], 51, 51)
  expect(lanes.partitions).toEqual([])
  expect(seen).toEqual(['0-0', '0-1'])
})

test('what a handler settles after its partition has gone is not committed, nor handled beside it', async () => {
  const first = Promise.withResolvers<void>()
  const running: string[] = []
  const { lanes } = openLanes({
    deliver: async (_lane, batch) => {
      running.push(...batch.map(({ id }) => id))
      if (running.length === 1) await first.promise
      return batch.map(() => 'ack')
    },
  })
  lanes.assign(new Map([[0, 0]]))
  lanes.accept(0, [record(0)], 1, 1)
  lanes.assign(new Map())
  lanes.assign(new Map([[0, 0]]))
  lanes.accept(0, [record(0)], 1, 1)
  expect(running).toEqual(['0-0'])
  expect(lanes.uncommitted().size).toBe(0)
  first.resolve()
  await expect.poll(() => lanes.uncommitted()).toEqual(new Map([[0, 1]]))
  expect(running).toEqual(['0-0', '0-0'])
})

test('a partition is held while more is there than prefetch allows, and only so long', async () => {
  const held: [number, boolean][] = []
  const { lanes } = openLanes({
    prefetch: 10_000,
    hold: (partition, is) => held.push([partition, is]),
  })
  lanes.assign(new Map([[3, 0]]))
  lanes.paused = true
  for (let at = 0; at < 20; at++) lanes.accept(3, [record(at, 1_000)], at + 1, 20)
  expect(held).toEqual([[3, true]])
  lanes.paused = false
  lanes.pump()
  await expect.poll(() => lanes.lags()).toEqual(new Map([[3, 0]]))
  expect(held).toEqual([
    [3, true],
    [3, false],
  ])
})

test('a lane that should get something and does not is told once', () => {
  const { lanes } = openLanes()
  lanes.assign(new Map([[0, 5]]))
  expect(lanes.onEnds(new Map([[0, 5]]))).toBe(false)
  expect(lanes.onEnds(new Map([[0, 9]]))).toBe(false)
  expect(lanes.lags()).toEqual(new Map([[0, 4]]))
  expect(lanes.onEnds(new Map([[0, 9]]))).toBe(true)
  // Another consumer has not helped: a transaction may be open.
  lanes.assign(new Map([[0, 5]]))
  expect(lanes.onEnds(new Map([[0, 9]]))).toBe(false)
  expect(lanes.onEnds(new Map([[0, 9]]))).toBe(false)
})
