import type { AbortOptions, Health } from '../component/component.ts'
import type { Watcher } from '../component/event-feed.ts'
import { backoff, jitter, sleep } from '../component/timing.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Store, StoreEvent, StoreRecord, Version } from './store.ts'

export interface StoreMirrorOptions {
  readonly store: Store
  /** Keys that begin with it. */
  readonly prefix: string
  /** Milliseconds between looks, where the store has no watch. */
  readonly interval: number
  /** Takes over a new state; `undefined` for a record that has gone. */
  readonly apply: (key: string, record: StoreRecord | undefined) => void
}

/**
 * Keeps what is in memory as a part of a store is, through all outages: meanwhile the last known state
 * holds. For decisions that must not do I/O.
 */
export interface StoreMirror {
  /** Loads all, and follows it from then on. */
  start(options: AbortOptions): Promise<void>
  /** Its owner has just written or deleted it itself, and applied that. */
  touched(key: string, version: Version | undefined): void
  /** `degraded` while the state may be old. */
  health(): Health
  stop(): Promise<void>
}

interface Known {
  /** `undefined` for one that has been deleted. */
  readonly version: Version | undefined
  /** When it became known, in our own counting. */
  readonly at: number
}

export function createStoreMirror(options: StoreMirrorOptions): StoreMirror {
  const { store, prefix, interval, apply } = options
  const known = new Map<string, Known>()
  const stopped = new AbortController()
  const { signal } = stopped
  let clock = 0
  let failure: string | undefined
  let watching: Watcher<StoreEvent> | undefined

  const touched = (key: string, version: Version | undefined): void => {
    known.set(key, { version, at: ++clock })
  }
  const take = (key: string, record: StoreRecord | undefined): void => {
    touched(key, record?.version)
    apply(key, record)
  }

  /** Reads what has changed. A newer state that comes to be known meanwhile is left alone. */
  const look = async (lookOptions: AbortOptions): Promise<void> => {
    const began = clock
    const seen = new Set<string>()
    const untouched = (key: string): boolean => (known.get(key)?.at ?? 0) <= began
    for await (const { key, version } of store.list({ prefix, keysOnly: true, ...lookOptions })) {
      seen.add(key)
      if (known.get(key)?.version === version || !untouched(key)) continue
      const record = await store.read(key, lookOptions)
      if (untouched(key)) take(key, record)
    }
    for (const [key, { version }] of known) {
      if (seen.has(key) || !untouched(key)) continue
      if (version === undefined) known.delete(key)
      else take(key, undefined)
    }
    failure = undefined
  }
  const lookUntilDone = async (): Promise<void> => {
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        return await look({ signal })
      } catch (error) {
        failure = MicroError.is(error) ? error.detail : String(error)
        await sleep(50 + backoff(attempt, { base: 100, max: 5_000 }), { signal })
      }
    }
  }
  const poll = async (): Promise<void> => {
    for (;;) {
      await sleep(jitter(interval, 0.1), { signal })
      await lookUntilDone()
    }
  }
  const follow = async (watcher: Watcher<StoreEvent>): Promise<void> => {
    for await (const event of watcher) {
      if (event.type === 'reset') await lookUntilDone()
      else if (event.type === 'put') take(event.record.key, event.record)
      else take(event.key, undefined)
    }
    if (!signal.aborted) failure = 'the watch has ended'
  }

  return {
    async start(startOptions) {
      signal.throwIfAborted()
      try {
        // Watches, and only then looks, so that nothing falls between.
        watching = await store.watch?.(prefix, startOptions)
        await look(startOptions)
      } catch (error) {
        await watching?.[Symbol.asyncDispose]()
        throw error
      }
      const following = watching === undefined ? poll() : follow(watching)
      following.catch((error: unknown) => {
        if (!signal.aborted) failure = String(error)
      })
    },
    touched,
    health() {
      const below = store.health()
      const why = failure ?? (below.status === 'up' ? undefined : (below.detail ?? below.status))
      return why === undefined
        ? { status: 'up' }
        : { status: 'degraded', detail: `as last known: ${why}` }
    },
    async stop() {
      stopped.abort(new MicroError('failed_precondition', 'it has been closed'))
      await watching?.[Symbol.asyncDispose]()
    },
  }
}
