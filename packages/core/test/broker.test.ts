import {
  defineTopic,
  defineUncheckedTopic,
  type Message,
  memoryBroker,
  type SubscribeOptions,
} from '@micro/core/broker'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { collect, collectRaw, raw, startMessaging, textOf, valuesOf } from './support/messages.ts'

const Placed = defineTopic(
  'orders.placed',
  z.object({ at: z.string().transform((text) => new Date(text)), lines: z.array(z.number()) }),
)
const Numbers = defineUncheckedTopic<number>('numbers')
const placed = { at: '2026-01-02T03:04:05.000Z', lines: [1] }

describe('topics', () => {
  test('a handler reads the schema’s output; on the wire is the input', async () => {
    const { broker, messaging } = startMessaging()
    const got = collect<Message<{ at: Date; lines: number[] }>>()
    await messaging.subscribe(Placed, got.add)
    const wire = await collectRaw(broker, Placed.name)
    await messaging.publish(Placed, placed)
    expect(valuesOf(await got.reached(1))).toEqual([{ at: new Date(placed.at), lines: [1] }])
    const [delivery] = await wire.reached(1)
    expect(JSON.parse(textOf(delivery))).toEqual(placed)
    expect(delivery?.headers['content-type']).toBe('application/json')
  })

  test('a bad value is refused where it is published, with its path', async () => {
    const { broker, messaging } = startMessaging()
    const wire = await collectRaw(broker, Placed.name)
    const bad = { at: '', lines: [1, 'two' as unknown as number] }
    await expect(messaging.publish(Placed, bad)).rejects.toMatchObject({
      code: 'invalid_argument',
      detail: expect.stringMatching(/orders\.placed.*lines\[1\]/),
    })
    await expect(messaging.publishAll(Placed, [placed, bad])).rejects.toMatchObject({
      code: 'invalid_argument',
    })
    await messaging.publish(Placed, placed)
    await wire.reached(1)
    expect(wire.items).toHaveLength(1)
  })

  test('types: publishers give the input, handlers get the output', () => {
    const { messaging } = startMessaging()
    const typesOnly = async (): Promise<void> => {
      await messaging.subscribe(Placed, ({ value }) => {
        expectTypeOf(value).toEqualTypeOf<{ at: Date; lines: number[] }>()
      })
      await messaging.subscribeBatch(Placed, (messages) => {
        expectTypeOf(messages).toEqualTypeOf<readonly Message<{ at: Date; lines: number[] }>[]>()
      })
      await messaging.publish(Placed, { at: 'now', lines: [] })
      await messaging.publish(Numbers, 1)
      // @ts-expect-error: a publisher gives the input of the schema
      await messaging.publish(Placed, { at: new Date(), lines: [] })
      // @ts-expect-error: not a number
      await messaging.publish(Numbers, '1')
      // @ts-expect-error: neither nothing nor a settlement
      await messaging.subscribe(Numbers, () => 'nack' as const)
    }
    expect(typesOnly).toBeTypeOf('function')
  })

  test('names that not every backend takes are refused', () => {
    expect(() => defineTopic('a b', z.string())).toThrow(/topic: "a b"/)
    expect(() => defineUncheckedTopic('')).toThrow(/topic: ""/)
  })
})

describe('a message', () => {
  test('headers, key, id and attempt reach the handler', async () => {
    const { messaging } = startMessaging()
    const got = collect<Message<number>>()
    await messaging.subscribe(Numbers, got.add)
    await messaging.publish(Numbers, 7, {
      key: 'ключ',
      id: 'mine',
      headers: { 'X-Tenant': 'acme', many: ['1', '2'] },
    })
    const [message] = await got.reached(1)
    expect(message).toMatchObject({
      id: 'mine',
      topic: 'numbers',
      key: 'ключ',
      value: 7,
      attempt: 1,
      timestamp: expect.any(Number),
    })
    expect(message?.headers.toJSON()).toEqual({ 'x-tenant': 'acme', many: '1, 2' })
  })

  test('ids are random unless given; publishAll keeps the order of a key', async () => {
    const { messaging } = startMessaging()
    const got = collect<Message<number>>()
    await messaging.subscribe(Numbers, got.add)
    await messaging.publishAll(Numbers, [1, 2, 3], { key: 'k' })
    await messaging.publishAll(Numbers, [])
    expect(valuesOf(await got.reached(3))).toEqual([1, 2, 3])
    expect(new Set(got.items.map(({ id }) => id)).size).toBe(3)
  })

  test('one of a foreign publisher needs neither content-type nor id', async () => {
    const { broker, messaging } = startMessaging()
    const got = collect<Message<number>>()
    await messaging.subscribe(Numbers, got.add)
    await broker.publish('numbers', [
      raw('1'),
      raw('2', { 'content-type': 'application/json; charset=utf-8', 'ce-id': 'event' }),
    ])
    await got.reached(2)
    expect(valuesOf(got.items).toSorted()).toEqual([1, 2])
    for (const { id, value } of got.items) {
      if (value === 2) expect(id).toBe('event')
      else expect(id).not.toBe('')
    }
  })

  test('as a CloudEvent it has the attributes as headers, and its body untouched', async () => {
    const { broker, messaging } = startMessaging({ cloudEvents: { source: '/shop' } })
    const wire = await collectRaw(broker, 'numbers')
    await messaging.publish(Numbers, 7, { id: 'i', key: 'ä b' })
    const [event] = await wire.reached(1)
    expect(textOf(event)).toBe('7')
    expect(event?.headers).toMatchObject({
      'ce-specversion': '1.0',
      'ce-id': 'i',
      'ce-source': '/shop',
      'ce-type': 'numbers',
      'ce-subject': '%C3%A4%20b',
      'content-type': 'application/json',
    })
    expect(Date.parse(event?.headers['ce-time'] ?? '')).not.toBeNaN()
  })
})

describe('groups', () => {
  test('the default group shares; `false` gets everything', async () => {
    const { messaging } = startMessaging()
    const shared = collect<Message<number>>()
    const broadcast = [collect<Message<number>>(), collect<Message<number>>()]
    for (let member = 0; member < 2; member++) await messaging.subscribe(Numbers, shared.add)
    for (const one of broadcast) await messaging.subscribe(Numbers, one.add, { group: false })
    const other = collect<Message<number>>()
    await messaging.subscribe(Numbers, other.add, { group: 'other' })
    const values = Array.from({ length: 20 }, (_, at) => at)
    await messaging.publishAll(Numbers, values)
    for (const one of [shared, other, ...broadcast]) {
      expect(valuesOf(await one.reached(20)).toSorted((a, b) => a - b)).toEqual(values)
    }
  })

  test('a missing group is refused by name', async () => {
    const messaging = startMessaging({ broker: memoryBroker(), defaultGroup: undefined as never })
    await expect(messaging.messaging.subscribe(Numbers, () => undefined)).rejects.toMatchObject({
      code: 'invalid_argument',
      detail: expect.stringContaining('group'),
    })
  })
})

describe('options', () => {
  const bad: readonly SubscribeOptions[] = [
    { group: 'a b' },
    { concurrency: 0 },
    { concurrency: 1.5 },
    { maxDeliveries: 0 },
    { retryDelay: -1 },
    { maxRetryDelay: Number.NaN },
    { timeout: 0 },
    { deadLetters: 'a b' },
    { deadLetters: 'numbers' },
  ]
  test.each(bad)('%o is refused by name', async (options) => {
    const { messaging } = startMessaging()
    const field = Object.keys(options)[0]
    await expect(messaging.subscribe(Numbers, () => undefined, options)).rejects.toMatchObject({
      code: 'invalid_argument',
      detail: expect.stringContaining(`${field}: `),
    })
  })

  test('so is the size of batches', async () => {
    const { messaging } = startMessaging()
    const subscribe = async (): Promise<unknown> =>
      messaging.subscribeBatch(Numbers, () => undefined, { size: 0 })
    await expect(subscribe()).rejects.toThrow(/size: 0/)
  })

  test('a codec that carries the topic must be there', async () => {
    const { messaging } = startMessaging({ codecs: [] })
    await expect(messaging.publish(Numbers, 1)).rejects.toMatchObject({
      code: 'unimplemented',
      detail: expect.stringContaining('numbers'),
    })
  })
})
