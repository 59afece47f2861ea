import { AsyncLocalStorage } from 'node:async_hooks'
import {
  Context,
  createContextKey,
  currentContext,
  detach,
  handleInContext,
  keepContext,
  rootContext,
  runInContext,
} from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import { expect, test } from 'vitest'

const cancelled = (context: Context): Promise<unknown> =>
  new Promise((resolve) => context.onCancel(resolve))

test('cancelling reaches every descendant once, with the first reason', () => {
  const top = new Context(rootContext)
  const middle = new Context(top)
  const leaf = new Context(middle)
  const sibling = new Context(top)
  const reasons: unknown[] = []
  leaf.onCancel((reason) => reasons.push(reason))
  sibling.onCancel((reason) => reasons.push(reason))

  top.cancel('first')
  top.cancel('second')

  expect(reasons).toEqual(['first', 'first'])
  expect(leaf.signal.aborted).toBe(true)
  expect(leaf.signal.reason).toBe('first')
})

test('a finished child is left out, and its siblings stay reachable', () => {
  const top = new Context(rootContext)
  const children = [new Context(top), new Context(top), new Context(top)] as const
  children[1].finish()
  top.cancel('over')
  expect(children.map((child) => child.cancelled)).toEqual([true, false, true])
})

test('finishing cancels what is still running below', () => {
  const top = new Context(rootContext)
  const middle = new Context(top)
  const leaf = new Context(middle)
  middle.finish()
  expect(MicroError.is(leaf.reason, 'cancelled')).toBe(true)
  expect(top.cancelled).toBe(false)
})

test('a child of a cancelled or finished context is born cancelled', () => {
  const gone = new Context(new Context(rootContext))
  gone.cancel('gone')
  expect(new Context(gone).reason).toBe('gone')
  const finished = new Context(new Context(rootContext))
  finished.finish()
  expect(MicroError.is(new Context(finished).reason, 'cancelled')).toBe(true)
})

test('the earlier deadline of parent and child holds', async () => {
  // Before the contexts, since the machine may be busy between one line and the next.
  const started = performance.now()
  const parent = new Context(rootContext, { timeout: 30 })
  const child = new Context(parent, { timeout: 10_000 })
  expect(child.remaining()).toBeLessThanOrEqual(30)
  const keepAlive = setInterval(() => undefined, 1_000)
  const reason = await cancelled(child)
  clearInterval(keepAlive)
  expect(MicroError.is(reason, 'deadline_exceeded')).toBe(true)
  // The promise is "not before"; how late depends on the machine.
  expect(performance.now() - started).toBeGreaterThanOrEqual(29)
})

test('deadlines on the same and on far slots of the wheel each fire in their turn', async () => {
  const order: number[] = []
  const contexts = [60, 20, 5_000, 20].map((timeout, at) => {
    const context = new Context(new Context(rootContext), { timeout })
    context.onCancel(() => order.push(at))
    return context
  })
  const keepAlive = setInterval(() => undefined, 1_000)
  await cancelled(contexts[0] as Context)
  clearInterval(keepAlive)
  expect(order.slice(0, 2).sort()).toEqual([1, 3])
  expect(order[2]).toBe(0)
  expect(contexts[2]?.cancelled).toBe(false)
  contexts[2]?.finish()
})

test('a deadline that has passed already cancels at once', async () => {
  const context = new Context(new Context(rootContext), { timeout: 0 })
  const keepAlive = setInterval(() => undefined, 1_000)
  expect(MicroError.is(await cancelled(context), 'deadline_exceeded')).toBe(true)
  clearInterval(keepAlive)
})

test("an outside signal's reason is passed on untouched and its listener removed", () => {
  const controller = new AbortController()
  const reason = { mine: true }
  const context = new Context(rootContext, { signal: controller.signal })
  controller.abort(reason)
  expect(context.reason).toBe(reason)

  let listeners = 0
  const counting = new AbortController().signal
  const add = counting.addEventListener.bind(counting)
  const remove = counting.removeEventListener.bind(counting)
  counting.addEventListener = (...parameters: Parameters<typeof add>) => {
    listeners += 1
    add(...parameters)
  }
  counting.removeEventListener = (...parameters: Parameters<typeof remove>) => {
    listeners -= 1
    remove(...parameters)
  }
  new Context(rootContext, { signal: counting }).finish()
  expect(listeners).toBe(0)
})

test('a removed listener is not called', () => {
  const context = new Context(rootContext)
  const calls: string[] = []
  context.onCancel(() => calls.push('a'))
  const remove = context.onCancel(() => calls.push('b'))
  context.onCancel(() => calls.push('c'))
  remove()
  context.cancel('over')
  expect(calls).toEqual(['a', 'c'])
})

test('values are inherited and may be replaced below', () => {
  const key = createContextKey<string>('test.value')
  const top = new Context(rootContext)
  const below = new Context(top)
  top.set(key, 'top')
  expect(below.get(key)).toBe('top')
  below.set(key, 'below')
  expect([top.get(key), below.get(key)]).toEqual(['top', 'below'])
})

test('a generator keeps its context across yields, whoever resumes it', async () => {
  const context = new Context(new Context(rootContext))
  const seen: boolean[] = []
  async function* source(): AsyncGenerator<number> {
    try {
      seen.push(currentContext() === context)
      yield 1
      seen.push(currentContext() === context)
      yield 2
    } finally {
      seen.push(currentContext() === context)
    }
  }
  for await (const value of runInContext(context, () => keepContext(source())))
    if (value === 2) break
  expect(seen).toEqual([true, true, true])
})

test('a handler sees its own context and no store of its caller', () => {
  const foreign = new AsyncLocalStorage<string>()
  const context = new Context(new Context(rootContext))
  const seen = foreign.run('of the caller', () => {
    const inside = handleInContext(context, () => [currentContext(), foreign.getStore()], undefined)
    return [...inside, currentContext(), foreign.getStore()]
  })
  expect(seen).toEqual([context, undefined, rootContext, 'of the caller'])
})

test('throw without a throw method ends the source and rethrows', async () => {
  let returned = false
  const source: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false, value: 1 }),
      return: async () => {
        returned = true
        return { done: true, value: undefined }
      },
    }),
  }
  const kept = keepContext(source)
  await kept.next()
  await expect(kept.throw?.(new Error('stop'))).rejects.toThrow('stop')
  expect(returned).toBe(true)
})

test('detached work outlives its call and keeps the trace', () => {
  const call = new Context(new Context(rootContext), { timeout: 10 })
  call.trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true }
  const inside = runInContext(call, () => detach(() => currentContext()))
  call.cancel('over')
  expect(inside.cancelled).toBe(false)
  expect(inside.deadline).toBe(Number.POSITIVE_INFINITY)
  expect(inside.trace).toBe(call.trace)
})

test('a deadline that has passed unseen is found by who asks for time', () => {
  const context = new Context(rootContext, { timeout: 1 })
  expect(context.requireTime()).toBeLessThanOrEqual(1)
  // The clock cannot look while this runs.
  while (context.remaining() > 0);
  expect(context.cancelled).toBe(false)
  expect(() => context.requireTime()).toThrow('the deadline has passed')
  expect(context.cancelled).toBe(true)
  expect(new Context(rootContext).requireTime()).toBe(Number.POSITIVE_INFINITY)
})
