import {
  type AbortOptions,
  abortable,
  backoff,
  jitter,
  sleep,
  unrefTimer,
} from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { EtcdConnection } from './connection.ts'
import type { KeyRange, Position } from './ranges.ts'
import { type EtcdEvent, watchStream } from './watch-stream.ts'

export interface FollowOptions {
  readonly range: KeyRange
  /**
   * Before each watch: says where it begins. `previous` is how far the last one came; `undefined` at
   * first, and when history behind that has been compacted.
   */
  readonly begin: (previous: Position | undefined, signal: AbortSignal) => Promise<Position>
  readonly onEvents: (events: readonly EtcdEvent[], position: Position) => void
  /** What keeps it from following; `undefined` once it follows again. */
  readonly onProblem: (problem: MicroError | undefined) => void
  /**
   * Milliseconds, more or less a fifth, after which a watch begins anew: a watch may have gone silent
   * without an error.
   */
  readonly interval: number
}

/** Follows a range through all outages. */
export interface Following {
  /** Resolves once changes will be seen. @throws what the first attempt failed with; it has stopped then. */
  started(options?: AbortOptions): Promise<void>
  stop(): void
}

const retryWait = { base: 100, max: 3_000 }

/** Begins at once, outside of the call that asks for it. */
export function follow(connection: EtcdConnection, options: FollowOptions): Following {
  const { range, begin, onEvents, onProblem, interval } = options
  const stopping = new AbortController()
  const { signal } = stopping
  const first = Promise.withResolvers<void>()
  // A failure is for those who wait; there need not be any.
  first.promise.catch(() => undefined)
  let position: Position | undefined
  let following = false
  let failures = 0

  const round = async (): Promise<void> => {
    position = await begin(position, signal)
    signal.throwIfAborted()
    const ending = new AbortController()
    const end = (): void => ending.abort()
    const timer = unrefTimer(setTimeout(end, jitter(interval)))
    signal.addEventListener('abort', end, { once: true })
    try {
      await watchStream(connection, {
        range,
        after: position,
        signal: ending.signal,
        onCreated() {
          following = true
          failures = 0
          first.resolve()
          onProblem(undefined)
        },
        onEvents(events, reached) {
          position = reached
          onEvents(events, reached)
        },
      })
    } catch (error) {
      if (MicroError.is(error, 'out_of_range')) position = undefined
      else throw error
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
    }
  }
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await round()
      } catch (error) {
        if (signal.aborted) return
        onProblem(asError(error))
        if (!following) {
          first.reject(error)
          return stopping.abort()
        }
        await sleep(backoff(failures, retryWait) + 10, { signal }).catch(() => undefined)
        failures += 1
      }
    }
  }
  // It catches all that may fail in it.
  void runInRoot(run)

  return {
    started: ({ signal: waiting } = {}) => abortable(first.promise, waiting),
    stop() {
      stopping.abort()
      first.reject(new MicroError('failed_precondition', 'it has been closed'))
    },
  }
}

function asError(error: unknown): MicroError {
  return MicroError.is(error)
    ? error
    : new MicroError('internal', `a change of etcd was not taken: ${String(error)}`, {
        cause: error,
      })
}
