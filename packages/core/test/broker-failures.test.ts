import { defineTopic } from '@micro/core'
import { type Broker, type Message, memoryBroker } from '@micro/core/broker'
import { MicroError } from '@micro/core/errors'
import { memoryStore } from '@micro/core/store'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  collect,
  collectRaw,
  raw,
  startMessaging,
  textOf,
  uncounted,
  valuesOf,
} from './support/messages.ts'
import { awake } from './support/services.ts'

const Numbers = defineTopic('numbers', z.number())
const quick = { retryDelay: 1, maxRetryDelay: 2 }
const dead = (broker: Broker) => collectRaw(broker, 'numbers.dead')

describe.each([
  ['that counts deliveries', () => memoryBroker()],
  ['that does not', () => uncounted(memoryBroker())],
])('over a broker %s', (_what, make) => {
  test('what throws comes again, so often, and then lies with the dead letters', async () => {
    const { broker, messaging, logger } = startMessaging({ broker: make() })
    const letters = await dead(broker)
    const attempts: number[] = []
    await messaging.subscribe(
      Numbers,
      ({ attempt }) => {
        attempts.push(attempt)
        throw new Error('not today')
      },
      { ...quick, maxDeliveries: 3 },
    )
    await messaging.publish(Numbers, 7, { key: 'k', headers: { tenant: 'acme' } })
    const [letter] = await letters.reached(1)
    expect(attempts).toEqual([1, 2, 3])
    expect(textOf(letter)).toBe('7')
    expect(letter?.key).toBe('k')
    expect(letter?.headers).toMatchObject({
      tenant: 'acme',
      'content-type': 'application/json',
      'dead-letter-reason': 'Error: not today',
      'dead-letter-attempts': '3',
      'dead-letter-id': expect.any(String),
    })
    const told = logger.lines.filter(({ fields }) => fields['topic'] === 'numbers')
    expect(told.map(({ level }) => level)).toEqual(['warn', 'warn', 'error'])
  })

  test('one that succeeds in the end is done with', async () => {
    const { broker, messaging } = startMessaging({ broker: make() })
    const letters = await dead(broker)
    const got = collect<number>()
    await messaging.subscribe(
      Numbers,
      ({ value, attempt }) => {
        if (attempt < 3) throw new Error('not yet')
        got.add(value)
      },
      { ...quick, maxDeliveries: 3 },
    )
    await messaging.publishAll(Numbers, [1, 2, 3], { key: 'k' })
    // In order, although each was tried three times.
    expect(await got.reached(3)).toEqual([1, 2, 3])
    expect(letters.items).toEqual([])
  })
})

describe('what is given up at once', () => {
  test.each([
    ['bytes that are none of the codec', '{', /invalid_argument: malformed JSON/],
    ['a value that is none of the schema', '"x"', /invalid_argument: .*number/],
  ])('%s', async (_what, body, reason) => {
    const { broker, messaging } = startMessaging()
    const letters = await dead(broker)
    const got = collect<Message<number>>()
    await messaging.subscribe(Numbers, got.add, quick)
    await broker.publish('numbers', [raw(body, { 'content-type': 'application/json' })])
    const [letter] = await letters.reached(1)
    expect(textOf(letter)).toBe(body)
    expect(letter?.headers['dead-letter-reason']).toMatch(reason)
    expect(letter?.headers['dead-letter-attempts']).toBe('1')
    await messaging.publish(Numbers, 1)
    expect(valuesOf(await got.reached(1))).toEqual([1])
  })

  test.each(['invalid_argument', 'permission_denied', 'unauthenticated'] as const)(
    'what a handler refuses as %s, which it would again',
    async (code) => {
      const { broker, messaging } = startMessaging()
      const letters = await dead(broker)
      await messaging.subscribe(
        Numbers,
        () => {
          throw new MicroError(code, 'no ü\nmore')
        },
        quick,
      )
      await messaging.publish(Numbers, 1)
      const [letter] = await letters.reached(1)
      // Headers hold printable ASCII only.
      expect(letter?.headers['dead-letter-reason']).toBe(`${code}: no ??more`)
      expect(letter?.headers['dead-letter-attempts']).toBe('1')
    },
  )

  test('what a handler settles as dead', async () => {
    const { broker, messaging } = startMessaging()
    const letters = await dead(broker)
    await messaging.subscribe(Numbers, () => 'dead' as const, quick)
    await messaging.publish(Numbers, 1)
    const [letter] = await letters.reached(1)
    expect(letter?.headers['dead-letter-reason']).toBe('the handler gave it up')
  })
})

describe('dead letters', () => {
  test('can lie elsewhere, or nowhere', async () => {
    const { broker, messaging } = startMessaging()
    const [elsewhere, usual] = [await collectRaw(broker, 'graveyard'), await dead(broker)]
    const seen = collect<number>()
    const refuse = ({ value }: Message<number>) => {
      seen.add(value)
      throw new MicroError('invalid_argument', 'no')
    }
    await messaging.subscribe(Numbers, refuse, { ...quick, group: 'a', deadLetters: 'graveyard' })
    await messaging.subscribe(Numbers, refuse, { ...quick, group: 'b', deadLetters: false })
    await messaging.publish(Numbers, 1)
    await elsewhere.reached(1)
    await seen.reached(2)
    await messaging.publish(Numbers, 2)
    await elsewhere.reached(2)
    expect(await seen.reached(4)).toHaveLength(4)
    expect(usual.items).toEqual([])
  })

  test('that cannot be published keep their message where it is', async () => {
    const whole = memoryBroker()
    let away = true
    const { messaging, logger } = startMessaging({
      broker: {
        ...whole,
        publish: async (topic, messages, options) => {
          if (away && topic.endsWith('.dead')) throw new MicroError('unavailable', 'full')
          return whole.publish(topic, messages, options)
        },
      },
    })
    const letters = await dead(whole)
    const tries = collect<number>()
    await messaging.subscribe(
      Numbers,
      ({ attempt }) => {
        tries.add(attempt)
        throw new MicroError('invalid_argument', 'no')
      },
      quick,
    )
    await messaging.publish(Numbers, 1)
    await tries.reached(3)
    expect(letters.items).toEqual([])
    expect(logger.lines.map(({ message }) => message)).toContain(
      'a dead letter could not be published',
    )
    away = false
    await letters.reached(1)
  })
})

describe('settling by hand', () => {
  test('a retry comes after its time, ahead of what follows in the lane', async () => {
    const { messaging } = startMessaging()
    const got = collect<number>()
    let asked = 0
    await messaging.subscribe(Numbers, ({ value }) => {
      if (value === 1 && asked++ < 2) return { retryAfter: 1 }
      got.add(value)
      return 'ack' as const
    })
    await messaging.publishAll(Numbers, [1, 2], { key: 'k' })
    expect(await got.reached(2)).toEqual([1, 2])
    expect(asked).toBe(3)
  })

  test('a handler that takes too long fails: its signal aborts, and the message comes again', async () => {
    const { messaging } = startMessaging()
    const signals = collect<AbortSignal>()
    const attempts = collect<number>()
    await messaging.subscribe(
      Numbers,
      ({ attempt }, context) => {
        signals.add(context.signal)
        attempts.add(attempt)
        return attempt === 1 ? new Promise<never>(() => undefined) : undefined
      },
      { ...quick, timeout: 30 },
    )
    await messaging.publish(Numbers, 1)
    expect(await awake(() => attempts.reached(2))).toEqual([1, 2])
    expect(signals.items[0]?.reason).toMatchObject({ code: 'deadline_exceeded' })
  })

  test('retries wait longer each time, up to a limit', async () => {
    const { broker } = startMessaging()
    const waits: number[] = []
    const { messaging } = startMessaging({
      broker: {
        ...broker,
        subscribe: (topic, deliver, options) =>
          broker.subscribe(
            topic,
            async (lane, batch) => {
              const settlements = await deliver(lane, batch)
              return settlements.map((settlement) => {
                if (typeof settlement !== 'object') return settlement
                waits.push(settlement.retryAfter)
                return { retryAfter: 0 }
              })
            },
            options,
          ),
      },
    })
    const letters = await dead(broker)
    await messaging.subscribe(
      Numbers,
      () => {
        throw new Error('no')
      },
      { retryDelay: 100, maxRetryDelay: 400, maxDeliveries: 6 },
    )
    await messaging.publish(Numbers, 1)
    await letters.reached(1)
    const most = [100, 200, 400, 400, 400]
    expect(waits).toHaveLength(5)
    for (const [at, wait] of waits.entries()) {
      expect(wait).toBeGreaterThanOrEqual((most[at] ?? 0) / 2)
      expect(wait).toBeLessThanOrEqual(most[at] ?? 0)
    }
  })
})

describe('batches', () => {
  test('have at most so many, in order, and fail together', async () => {
    const { messaging } = startMessaging()
    const got = collect<readonly number[]>()
    await messaging.subscribeBatch(Numbers, (messages) => got.add(valuesOf(messages)), { size: 2 })
    await messaging.publishAll(Numbers, [1, 2, 3, 4, 5], { key: 'k' })
    expect(await got.reached(3)).toEqual([[1, 2], [3, 4], [5]])
  })

  test('a message at fault is found, and the others are handled', async () => {
    const { broker, messaging } = startMessaging()
    const letters = await dead(broker)
    const handled = new Set<number>()
    const all = Promise.withResolvers<void>()
    await messaging.subscribeBatch(
      Numbers,
      (messages) => {
        const values = valuesOf(messages)
        if (values.includes(3)) throw new Error('three is broken')
        for (const value of values) handled.add(value)
        if (handled.size === 4) all.resolve()
      },
      { ...quick, maxDeliveries: 2 },
    )
    await messaging.publishAll(Numbers, [1, 2, 3, 4, 5], { key: 'k' })
    const [letter] = await letters.reached(1)
    expect(textOf(letter)).toBe('3')
    await all.promise
    expect([...handled].sort()).toEqual([1, 2, 4, 5])
    expect(letters.items).toHaveLength(1)
  })

  test('what cannot be decoded does not keep the others from being handled', async () => {
    const { broker, messaging } = startMessaging()
    const letters = await dead(broker)
    const got = collect<readonly number[]>()
    await messaging.subscribeBatch(Numbers, (messages) => got.add(valuesOf(messages)), quick)
    const headers = { 'content-type': 'application/json' }
    await broker.publish(
      'numbers',
      ['1', '"x"', '2'].map((body) => ({ ...raw(body, headers), key: 'k' })),
    )
    expect((await got.reached(1)).flat()).toEqual([1, 2])
    await letters.reached(1)
  })
})

describe('an inbox', () => {
  test('has each id handled once, by whichever instance, also within a batch', async () => {
    const broker = memoryBroker()
    const store = memoryStore()
    for (const together of [false, true]) {
      const got = collect<number>()
      const group = together ? 'batches' : 'single'
      const instances = [1, 2].map(() => startMessaging({ broker }).messaging)
      for (const messaging of instances) {
        const options = { ...quick, group, inbox: { store } }
        if (together) {
          await messaging.subscribeBatch(
            Numbers,
            (messages) => {
              for (const value of valuesOf(messages)) got.add(value)
            },
            options,
          )
        } else await messaging.subscribe(Numbers, ({ value }) => got.add(value), options)
      }
      const [messaging] = instances
      for (const id of ['a', 'a', 'b', 'a']) {
        await messaging?.publish(Numbers, id === 'a' ? 1 : 2, { id, key: 'k' })
      }
      await messaging?.publish(Numbers, 3, { id: `end ${group}`, key: 'k' })
      expect(await got.reached(3)).toEqual([1, 2, 3])
    }
  })

  test('remembers what was handled, not what failed', async () => {
    const { messaging } = startMessaging()
    const attempts = collect<string>()
    await messaging.subscribe(
      Numbers,
      ({ id, attempt }) => {
        attempts.add(`${id} ${attempt}`)
        if (attempt === 1) throw new Error('not yet')
      },
      { ...quick, inbox: { store: memoryStore() } },
    )
    await messaging.publish(Numbers, 1, { id: 'a', key: 'k' })
    await messaging.publish(Numbers, 1, { id: 'a', key: 'k' })
    await messaging.publish(Numbers, 1, { id: 'b', key: 'k' })
    expect(await attempts.reached(4)).toEqual(['a 1', 'a 2', 'b 1', 'b 2'])
  })

  test('whose store is away has the message wait, and is no reason to give it up at once', async () => {
    const { messaging } = startMessaging()
    const store = memoryStore()
    let away = 2
    const got = collect<number>()
    await messaging.subscribe(Numbers, ({ value }) => got.add(value), {
      ...quick,
      inbox: {
        store: {
          ...store,
          read: (key, options) => {
            if (away-- > 0) throw new MicroError('unavailable', 'the store is away')
            return store.read(key, options)
          },
        },
      },
    })
    await messaging.publish(Numbers, 1)
    expect(await got.reached(1)).toEqual([1])
  })
})
