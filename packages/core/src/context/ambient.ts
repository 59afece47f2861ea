import { AsyncLocalStorage } from 'node:async_hooks'
import { Context, rootContext } from './context.ts'

// One storage per process, so that two copies of this library still see each other's contexts.
const slot = Symbol.for('micro.context.storage')
const shared = globalThis as { [slot]?: AsyncLocalStorage<Context> }
shared[slot] ??= new AsyncLocalStorage<Context>()
const storage = shared[slot]

/** The context of the call being handled, or the root. Nested calls inherit from it. */
export function currentContext(): Context {
  return storage.getStore() ?? rootContext
}

/** Runs `work` so that calls made in it inherit deadline, cancellation and trace of `context`. */
export function runInContext<T>(context: Context, work: () => T): T {
  return storage.run(context, work)
}

/**
 * Calls a handler in its own context. Spelt out, because `run` with its rest parameters costs a
 * quarter more, and this is in every call.
 */
export function handleInContext<C extends Context>(
  context: C,
  handler: (input: unknown, context: C) => unknown,
  input: unknown,
): unknown {
  const outer = storage.getStore()
  storage.enterWith(context)
  try {
    return handler(input, context)
  } finally {
    // Without a store there is none to go back to; the types do not know that it may be absent.
    storage.enterWith(outer as Context)
  }
}

/**
 * Runs shared background work, such as a first connect, outside every call: it must not end with
 * the call that happened to start it.
 */
export function runInRoot<T>(work: () => T): T {
  return storage.run(rootContext, work)
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
 * Resumes `source` in `context` at every step. A generator runs in the context of whoever calls
 * `next`, so without this it would lose its own after the first `yield`.
 */
export function keepContext<T>(
  context: Context,
  source: AsyncIterable<T>,
): AsyncIterableIterator<T> {
  const iterator = storage.run(context, () => source[Symbol.asyncIterator]())
  return {
    next: () => storage.run(context, () => iterator.next()),
    return: (value?: unknown) =>
      storage.run(
        context,
        async (): Promise<IteratorResult<T, unknown>> =>
          iterator.return === undefined ? { done: true, value } : iterator.return(value),
      ),
    throw: (error?: unknown) =>
      storage.run(context, async () => {
        if (iterator.throw !== undefined) return iterator.throw(error)
        await iterator.return?.()
        throw error
      }),
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
