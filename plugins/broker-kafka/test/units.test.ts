import { choosePartition } from '@micro/kafka-broker'
import { Partitioners } from 'kafkajs'
import { expect, test } from 'vitest'
import { errors } from '../src/errors.ts'

test('keys are hashed as by the clients of Kafka', () => {
  const partitions = Array.from({ length: 7 }, (_, partitionId) => ({ partitionId, leader: 1 }))
  const theirs = Partitioners.DefaultPartitioner()
  const partitionMetadata = partitions.map((one) => ({
    ...one,
    partitionErrorCode: 0,
    replicas: [],
    isr: [],
  }))
  for (let length = 1; length < 200; length++) {
    const key = Buffer.from(Array.from({ length }, (_, at) => (at * 89 + length * 131) % 256))
    const message = { key, value: null }
    expect(choosePartition(partitions, key)).toBe(theirs({ topic: '', partitionMetadata, message }))
  }
})

test('errors of kafkajs are told by its names and by those of Kafka', () => {
  const { toMicroError, isOfType } = errors
  const refused = Object.assign(new Error('no'), { name: 'KafkaJSSASLAuthenticationError' })
  expect(toMicroError(new Error('outer', { cause: refused }), 'x').code).toBe('unauthenticated')
  const unread = Object.assign(new Error('zstd'), { name: 'KafkaJSNotImplemented' })
  expect(toMicroError(unread, 'x').code).toBe('unimplemented')
  const missing = Object.assign(new Error('no'), { type: 'UNKNOWN_TOPIC_OR_PARTITION' })
  expect(toMicroError(missing, 'x').code).toBe('not_found')
  expect(isOfType(missing, 'UNKNOWN_TOPIC_OR_PARTITION')).toBe(true)
})
