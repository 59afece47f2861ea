import { choosePartition } from '@micro/kafka-broker'
import {
  compatibilityPartitioner,
  MultipleErrors,
  NetworkError,
  ProtocolError,
  ResponseError,
} from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { decode } from '../src/decode.ts'
import { canPass, errors, isLost, partsOf, protocolError } from '../src/errors.ts'
import { assignmentsOf, partitionsOf, subscriptionOf } from '../src/group.ts'

test('keys are hashed as by the library, where it is to do so as others', () => {
  const partitions = Array.from({ length: 7 }, (_, partitionId) => ({ partitionId, leader: 1 }))
  for (let length = 1; length < 200; length++) {
    const key = Buffer.from(Array.from({ length }, (_, at) => (at * 89 + length * 131) % 256))
    const theirs = compatibilityPartitioner({ topic: '', value: key }, key) % partitions.length
    expect(choosePartition(partitions, key)).toBe(theirs)
  }
})

test('errors of the library are told by its names and by those of Kafka', () => {
  const answer = new ResponseError(0, 9, { '/responses/0': [29, null] }, {})
  expect(errors.toMicroError(new MultipleErrors('several', [answer]), 'x')).toMatchObject({
    code: 'permission_denied',
    detail: expect.stringContaining('grant this user the topic'),
  })
  expect(errors.toMicroError(new ResponseError(0, 9, { '': [6, null] }, {}), 'x').detail).toContain(
    'not the current leader',
  )
  expect(errors.isOfType(answer, 'TOPIC_AUTHORIZATION_FAILED')).toBe(true)
  expect(canPass(answer)).toBe(false)
  expect(canPass(new NetworkError('gone'))).toBe(true)
  expect(isLost(new ProtocolError('NOT_COORDINATOR'))).toBe(false)
  expect(canPass(new ProtocolError('NOT_COORDINATOR'))).toBe(true)
})

test('an error that Kafka has and the library does not know is told by its number', () => {
  expect(protocolError(9_999).message).toContain('9999')
  expect(protocolError(44, 'no topics of yours').message).toBe('no topics of yours')
})

test('an answer of which a part failed is an answer', async () => {
  const response = { topics: [] }
  const failed = Promise.reject(new ResponseError(3, 9, { '/topics/0': [3, null] }, response))
  expect(await partsOf(failed)).toBe(response)
  const lost = new NetworkError('gone')
  await expect(partsOf(Promise.reject(lost))).rejects.toBe(lost)
})

test('a leader gives each member its share, its own partitions first', () => {
  const members = [
    { memberId: 'a', metadata: subscriptionOf('t', [0, 1, 2, 3]) },
    { memberId: 'b', metadata: subscriptionOf('t', []) },
    { memberId: 'other', metadata: subscriptionOf('u', [0]) },
  ]
  const given = new Map(
    assignmentsOf('t', [0, 1, 2, 3], members).map(({ memberId, assignment }) => [
      memberId,
      partitionsOf('t', assignment),
    ]),
  )
  expect([...given.keys()]).toEqual(['a', 'b'])
  expect(given.get('a')).toEqual([0, 1])
  expect(given.get('b')).toEqual([2, 3])
  // Of one that has nothing to do.
  expect(partitionsOf('t', Buffer.alloc(0))).toEqual([])
})

const plain = 0
const transactional = 1 << 4
const control = (1 << 5) | transactional
const batch = (
  firstOffset: number,
  values: readonly string[],
  attributes = plain,
  producerId = -1n,
  key: Buffer | null = null,
) => ({
  firstOffset: BigInt(firstOffset),
  length: 0,
  partitionLeaderEpoch: 0,
  magic: 2,
  crc: 0,
  attributes,
  lastOffsetDelta: values.length - 1,
  firstTimestamp: 1_000n,
  maxTimestamp: 2_000n,
  producerId,
  producerEpoch: 0,
  firstSequence: 0,
  records: values.map((value, offsetDelta) => ({
    length: 0,
    attributes: 0,
    timestampDelta: BigInt(offsetDelta),
    offsetDelta,
    key,
    value: Buffer.from(value),
    headers: [],
  })),
})
const mark = (offset: number, producerId: bigint, type: number) =>
  batch(offset, [''], control, producerId, Buffer.from([0, 0, 0, type]))
const textsOf = (fetched: Parameters<typeof decode>[0]) =>
  decode(fetched).records.map(({ offset, value }) => `${offset}:${value}`)

test('offsets and times of records; nothing fetched has no end', () => {
  const { records, next } = decode({ records: [batch(5, ['a', 'b'])], abortedTransactions: null })
  expect(records.map(({ offset, timestamp }) => [offset, timestamp])).toEqual([
    [5, 1_000],
    [6, 1_001],
  ])
  expect(next).toBe(7)
  expect(decode({ records: null, abortedTransactions: null }).next).toBe(undefined)
  const appended = decode({ records: [batch(0, ['a', 'b'], 1 << 3)], abortedTransactions: [] })
  expect(appended.records.map(({ timestamp }) => timestamp)).toEqual([2_000, 2_000])
})

test('of several aborted transactions of one producer none is handed out, what it commits is', () => {
  const records = [
    batch(0, ['bad'], transactional, 7n),
    batch(1, ['plain']),
    mark(2, 7n, 0),
    batch(3, ['good'], transactional, 7n),
    mark(4, 7n, 1),
    batch(5, ['bad', 'bad'], transactional, 7n),
    batch(7, ['other'], transactional, 8n),
    mark(8, 7n, 0),
    mark(9, 8n, 1),
  ]
  const abortedTransactions = [
    { producerId: 7n, firstOffset: 5n },
    { producerId: 7n, firstOffset: 0n },
  ]
  expect(textsOf({ records, abortedTransactions })).toEqual(['1:plain', '3:good', '7:other'])
  expect(decode({ records, abortedTransactions }).next).toBe(10)
})

test('of an aborted transaction whose end was not fetched yet nothing is handed out', () => {
  const records = [batch(3, ['bad'], transactional, 7n), batch(4, ['plain'])]
  expect(textsOf({ records, abortedTransactions: [{ producerId: 7n, firstOffset: 1n }] })).toEqual([
    '4:plain',
  ])
})
