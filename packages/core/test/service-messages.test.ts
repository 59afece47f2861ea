import { createService, defineTopic, memoryNetwork, type Service } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'

const Placed = defineTopic('orders.placed', z.object({ order: z.number() }))
const running: Service[] = []
afterEach(async () => {
  for (const service of running.splice(0)) await service.stop()
})

function service(name: string, network = memoryNetwork()): Service {
  const made = createService({
    name,
    network,
    logger: memoryLogger(),
    shutdown: { signals: false },
  })
  running.push(made)
  return made
}

test('instances of a service share its messages; another service gets all of them too', async () => {
  const network = memoryNetwork()
  const seen: string[] = []
  const all = Promise.withResolvers<void>()
  for (const [name, count] of [
    ['billing', 2],
    ['mail', 1],
  ] as const) {
    for (let instance = 0; instance < count; instance++) {
      const one = service(name, network)
      await one.subscribe(Placed, ({ value }) => {
        seen.push(`${name} ${value.order}`)
        if (seen.length === 20) all.resolve()
      })
      await one.start()
    }
  }
  const shop = service('shop', network)
  for (let order = 0; order < 10; order++) await shop.publish(Placed, { order })
  await all.promise
  expect(new Set(seen).size).toBe(20)
})

test('a subscription made before the start opens with it, paused if it was paused', async () => {
  const one = service('billing')
  const orders: number[] = []
  const got = Promise.withResolvers<void>()
  const subscription = await one.subscribe(Placed, ({ value }) => {
    orders.push(value.order)
    got.resolve()
  })
  await one.publish(Placed, { order: 1 })
  subscription.pause()
  await one.start()
  await one.publish(Placed, { order: 2 })
  subscription.resume()
  await got.promise
  expect(orders).toEqual([2])
})

test('stop waits for handlers of messages; later subscriptions are refused', async () => {
  const one = service('billing')
  const started = Promise.withResolvers<void>()
  const finish = Promise.withResolvers<void>()
  let finished = false
  await one.subscribe(Placed, async () => {
    started.resolve()
    await finish.promise
    finished = true
  })
  await one.start()
  await one.publish(Placed, { order: 1 })
  await started.promise
  const stopping = one.stop()
  finish.resolve()
  await stopping
  expect(finished).toBe(true)
  await expect(one.subscribe(Placed, () => undefined)).rejects.toMatchObject({
    code: 'failed_precondition',
  })
})

test('a handler that does not end is cancelled at the drain deadline', async () => {
  const one = createService({
    name: 'billing',
    logger: memoryLogger(),
    shutdown: { signals: false, drain: 20 },
  })
  const started = Promise.withResolvers<void>()
  const cancelled = Promise.withResolvers<unknown>()
  await one.subscribe(Placed, (_message, context) => {
    context.onCancel(cancelled.resolve)
    started.resolve()
    return new Promise<void>(() => undefined)
  })
  await one.start()
  await one.publish(Placed, { order: 1 })
  await started.promise
  await one.stop()
  expect(await cancelled.promise).toMatchObject({ code: 'cancelled' })
})
