import { type Awaitable, isPromise } from '../component/promises.ts'

/** How a call ended: its error, if it failed, and the messages that a stream has sent. */
export type Done = (error: unknown, messages: number) => void

/** Tells `done`, once, when a middleware's result is complete: for a stream, when that has ended. */
export function whenDone(result: Awaitable<unknown>, done: Done): Awaitable<unknown> {
  if (!isPromise(result)) return watched(result, done)
  return result.then(
    (value) => watched(value, done),
    (error: unknown) => {
      done(error, 0)
      throw error
    },
  )
}

function watched(value: unknown, done: Done): unknown {
  if (typeof value === 'object' && value !== null && Symbol.asyncIterator in value) {
    return watchedStream(value as AsyncIterable<unknown>, done)
  }
  done(undefined, 1)
  return value
}

async function* watchedStream(source: AsyncIterable<unknown>, done: Done): AsyncGenerator<unknown> {
  let messages = 0
  let failure: unknown
  try {
    for await (const message of source) {
      messages += 1
      yield message
    }
  } catch (error) {
    failure = error
    throw error
  } finally {
    done(failure, messages)
  }
}
