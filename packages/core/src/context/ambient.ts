import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import { Context, rootContext } from './context.ts'

// One storage per process, so that two copies of this library still see each other's contexts.
const slot = Symbol.for('micro.context.storage')
const shared = globalThis as { [slot]?: AsyncLocalStorage<Context> }
shared[slot] ??= new AsyncLocalStorage<Context>()
const storage = shared[slot]

/**
 * An empty async context to begin from. Made while this module loads, outside every call, so it
 * holds no store of anyone. Leaving it puts back the very frame that was there, where `run` of
 * Node 24 makes two new ones; that difference was a quarter of the time of a call in process.
 */
const blank = new AsyncResource('micro')

/** The context of the call being handled, or the root. Nested calls inherit from it. */
export function currentContext(): Context {
  return storage.getStore() ?? rootContext
}

/** Runs `work` so that calls made in it inherit deadline, cancellation and trace of `context`. */
export function runInContext<T>(context: Context, work: () => T): T {
  return storage.run(context, work)
}

/**
 * Calls a handler in its own context and nothing else: stores that a caller in the same process, or
 * an instrumented server, keeps in other `AsyncLocalStorage`s do not reach it, as they would not
 * from another process. Middleware runs inside and can set up such stores for the handler.
 */
export function handleInContext<C extends Context, T>(
  context: C,
  handler: (input: unknown, context: C) => T,
  input: unknown,
): T {
  return blank.runInAsyncScope(enter<C, T>, undefined, context, handler, input)
}

/**
 * Runs shared background work, such as a first connect, outside every call: it must not end with
 * the call that happened to start it.
 */
export function runInRoot<T>(work: () => T): T {
  return blank.runInAsyncScope(work)
}

/**
 * Runs fire-and-forget work that may outlive the current call: no deadline, no cancellation, but
 * the same trace and forwarded metadata.
 */
export function detach<T>(work: () => T): T {
  const current = currentContext()
  const detached = new Context(rootContext)
  detached.trace = current.trace
  detached.forwarded = current.forwarded
  return storage.run(detached, work)
}

/**
 * Resumes `source` in the async context of this moment at every step. A generator runs in the
 * context of whoever calls `next`, so without this it would lose its own after the first `yield`.
 */
export function keepContext<T>(source: AsyncIterable<T>): AsyncIterableIterator<T> {
  const here = new AsyncResource('micro.stream')
  const iterator = source[Symbol.asyncIterator]()
  return {
    next: () => here.runInAsyncScope(iterator.next, iterator),
    return: (value?: unknown) =>
      here.runInAsyncScope(
        async (): Promise<IteratorResult<T, unknown>> =>
          iterator.return === undefined ? { done: true, value } : iterator.return(value),
      ),
    throw: (error?: unknown) =>
      here.runInAsyncScope(async () => {
        if (iterator.throw !== undefined) return iterator.throw(error)
        await iterator.return?.()
        throw error
      }),
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

function enter<C extends Context, T>(
  context: C,
  handler: (input: unknown, context: C) => T,
  input: unknown,
): T {
  storage.enterWith(context)
  return handler(input, context)
}
