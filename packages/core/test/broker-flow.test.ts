import { type Broker, defineUncheckedTopic, type Message, memoryBroker } from '@micro/core/broker'
import { Context, currentContext, rootContext, runInContext } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import { describe, expect, test } from 'vitest'
import { collect, collectRaw, startMessaging, valuesOf } from './support/messages.ts'

const Numbers = defineUncheckedTopic<number>('numbers')
const trace = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  sampled: true,
}
const never = (): Promise<never> => new Promise(() => undefined)

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

describe('context', () => {
  test('the trace of the publisher reaches the handler, its deadline and its end do not', async () => {
    const { messaging } = startMessaging()
    const started = Promise.withResolvers<Context>()
    const finish = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<void>()
    await messaging.subscribe(Numbers, async (_message, context) => {
      started.resolve(context)
      await finish.promise
      expect(currentContext()).toBe(context)
      ended.resolve()
    })
    const publisher = new Context(rootContext, { timeout: 5_000 })
    publisher.trace = { ...trace, state: 'a=b' }
    await runInContext(publisher, () => messaging.publish(Numbers, 1))
    const context = await started.promise
    publisher.cancel(new Error('the publisher has gone'))
    finish.resolve()
    await ended.promise
    expect(context.trace).toEqual({ ...trace, state: 'a=b' })
    expect(context.remaining()).toBeGreaterThan(10_000)
    expect(context.cancelled).toBe(false)
  })

  test('a publisher without time publishes nothing', async () => {
    const { broker, messaging } = startMessaging()
    const wire = await collectRaw(broker, 'numbers')
    const context = new Context(rootContext)
    context.cancel(new MicroError('deadline_exceeded', 'late'))
    const publishing = runInContext(context, () => messaging.publish(Numbers, 1))
    await expect(publishing).rejects.toMatchObject({ code: 'deadline_exceeded' })
    const reason = new Error('mine')
    const signal = AbortSignal.abort(reason)
    await expect(messaging.publish(Numbers, 1, { signal })).rejects.toBe(reason)
    await messaging.publish(Numbers, 2)
    await wire.reached(1)
    expect(wire.items).toHaveLength(1)
  })

  test('publish does not wait longer than its timeout for a backend', async () => {
    const { messaging } = startMessaging({ broker: { ...memoryBroker(), publish: never } })
    await expect(messaging.publish(Numbers, 1, { timeout: 10 })).rejects.toMatchObject({
      code: 'deadline_exceeded',
    })
  })
})

describe('middleware', () => {
  test('sees both sides, in order, and changes headers on both', async () => {
    const seen: string[] = []
    const { messaging } = startMessaging({
      middleware: [
        async ({ side, topic, key, value, headers }, next) => {
          seen.push(`outer ${side} ${topic} ${key} ${value}`)
          headers.set(`x-${side}`, 'outer')
          // What `next` gives need not be returned.
          await next()
        },
        ({ side, headers }, next) => {
          seen.push(`inner ${side} ${headers.get(`x-${side}`)}`)
          return next()
        },
      ],
    })
    const got = collect<Message<number>>()
    await messaging.subscribe(Numbers, got.add)
    await messaging.publish(Numbers, 7, { key: 'k' })
    const [message] = await got.reached(1)
    expect(message?.headers.toJSON()).toEqual({ 'x-publish': 'outer', 'x-consume': 'outer' })
    expect(seen).toEqual([
      'outer publish numbers k 7',
      'inner publish outer',
      'outer consume numbers k 7',
      'inner consume outer',
    ])
  })

  test('throwing at the publisher refuses; not going on is an error', async () => {
    const { broker, messaging } = startMessaging({
      middleware: [
        ({ value }, next) => {
          if (value === 1) throw new MicroError('permission_denied', 'no ones')
          return value === 2 ? undefined : next()
        },
      ],
    })
    const wire = await collectRaw(broker, 'numbers')
    await expect(messaging.publish(Numbers, 1)).rejects.toMatchObject({ code: 'permission_denied' })
    await expect(messaging.publish(Numbers, 2)).rejects.toThrow(/middleware/)
    await messaging.publish(Numbers, 3)
    await wire.reached(1)
    expect(wire.items).toHaveLength(1)
  })

  test('throwing at the handler fails the delivery', async () => {
    let thrown = false
    const { messaging } = startMessaging({
      middleware: [
        ({ side }, next) => {
          if (side === 'publish' || thrown) return next()
          thrown = true
          throw new Error('broken')
        },
      ],
    })
    const got = collect<Message<number>>()
    await messaging.subscribe(Numbers, got.add, { retryDelay: 1 })
    await messaging.publish(Numbers, 7)
    expect(await got.reached(1)).toMatchObject([{ value: 7, attempt: 2 }])
  })

  test('around a batch it is called once for each message', async () => {
    const seen: unknown[] = []
    const { messaging } = startMessaging({
      middleware: [
        ({ side, value }, next) => {
          if (side === 'consume') seen.push(value)
          return next()
        },
      ],
    })
    const got = collect<readonly Message<number>[]>()
    await messaging.subscribeBatch(Numbers, got.add)
    await messaging.publishAll(Numbers, [1, 2, 3], { key: 'k' })
    const [batch] = await got.reached(1)
    expect(valuesOf(batch ?? [])).toEqual([1, 2, 3])
    expect(seen).toEqual([1, 2, 3])
  })
})

describe('flow', () => {
  test('the limit over all lanes is reached and never exceeded', async () => {
    const { messaging } = startMessaging()
    const done = collect<number>()
    let running = 0
    let most = 0
    await messaging.subscribe(
      Numbers,
      async ({ value }) => {
        running += 1
        most = Math.max(most, running)
        await turn()
        running -= 1
        done.add(value)
      },
      { concurrency: 3 },
    )
    await messaging.publishAll(
      Numbers,
      Array.from({ length: 64 }, (_, at) => at),
    )
    await done.reached(64)
    expect(most).toBe(3)
  })

  test('a paused subscription gets nothing until it is resumed', async () => {
    const { messaging } = startMessaging()
    const got = collect<Message<number>>()
    const other = collect<Message<number>>()
    const subscription = await messaging.subscribe(Numbers, got.add)
    await messaging.subscribe(Numbers, other.add, { group: 'other' })
    subscription.pause()
    await messaging.publish(Numbers, 1)
    await other.reached(1)
    expect(got.items).toEqual([])
    subscription.resume()
    expect(valuesOf(await got.reached(1))).toEqual([1])
  })

  test('close waits for the handlers that run', async () => {
    const { messaging } = startMessaging()
    const started = Promise.withResolvers<void>()
    const finish = Promise.withResolvers<void>()
    let finished = false
    const subscription = await messaging.subscribe(Numbers, async () => {
      started.resolve()
      await finish.promise
      finished = true
    })
    await messaging.publish(Numbers, 1)
    await started.promise
    const closing = subscription.close().then(() => finished)
    await turn()
    finish.resolve()
    expect(await closing).toBe(true)
    await subscription[Symbol.asyncDispose]()
  })

  test('a close that is given up cancels them; what they had comes again, uncounted', async () => {
    const broker: Broker = memoryBroker()
    const { messaging } = startMessaging({ broker })
    const dead = await collectRaw(broker, 'numbers.dead')
    const started = Promise.withResolvers<void>()
    const cancelled = Promise.withResolvers<unknown>()
    const seen: number[] = []
    const subscription = await messaging.subscribe(
      Numbers,
      ({ value }, context) => {
        seen.push(value)
        context.onCancel(cancelled.resolve)
        started.resolve()
        return never()
      },
      { maxDeliveries: 1, concurrency: 1 },
    )
    // The second waits for the first, over lanes: it must not begin after the end.
    await messaging.publishAll(Numbers, [1, 2])
    await started.promise
    const reason = new Error('mine')
    await expect(subscription.close({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(await cancelled.promise).toMatchObject({ code: 'cancelled' })
    const heir = collect<Message<number>>()
    await messaging.subscribe(Numbers, heir.add)
    expect(valuesOf(await heir.reached(2)).toSorted()).toEqual([1, 2])
    expect(seen).toEqual([1])
    expect(dead.items).toEqual([])
  })
})
