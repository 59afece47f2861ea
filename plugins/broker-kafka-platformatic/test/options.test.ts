import { type KafkaBrokerOptions, kafkaBroker } from '@micro/plugin-broker-kafka-platformatic'
import { expect, test } from 'vitest'

const brokers = 'localhost:9092'

test.each([
  ['maxWait', { maxWait: 0 }],
  ['bootstrap', { bootstrap: brokers }],
])('option %s is refused: %o', (name, options) => {
  const make = () => kafkaBroker({ brokers, ...options } as KafkaBrokerOptions)
  expect(make).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  expect(make).toThrow(new RegExp(`kafkaBroker option ${name}:`))
})

test('making one does nothing but that', async () => {
  const broker = kafkaBroker({ brokers: '127.0.0.1:1' })
  expect(broker.health()).toEqual({ status: 'up' })
  await broker.connect()
  await broker.close()
})

test('a namespace that leaves no room for the topic', async () => {
  const broker = kafkaBroker({ brokers, namespace: 'n'.repeat(200) })
  await expect(broker.publish('t'.repeat(100), [])).rejects.toMatchObject({
    code: 'invalid_argument',
    detail: expect.stringContaining('namespace'),
  })
  await broker.close()
})
