import type { AbortOptions, Health } from '../component/component.ts'
import type { Watcher } from '../component/event-feed.ts'
import { backoff, jitter, sleep } from '../component/timing.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Store, StoreEvent, StoreRecord, Version } from '../store/store.ts'
import type { Rule } from './access.ts'
import { checkRule } from './access-rules.ts'
import type { RuleIndex } from './rule-index.ts'

const prefix = 'rule/'

export interface RuleFeedOptions {
  readonly store: Store
  readonly index: RuleIndex
  /** Milliseconds between looks, where the store has no watch. */
  readonly interval: number
}

/** Keeps an index as the store has it, through all outages: meanwhile the last known rules hold. */
export interface RuleFeed {
  /** Loads all. @throws `data_loss` for a rule that cannot be read. */
  start(options: AbortOptions): Promise<void>
  /** What has just been written, without waiting to hear of it. */
  written(rule: Rule, version: Version): void
  deleted(id: string): void
  health(): Health
  stop(): Promise<void>
}

interface Known {
  /** `undefined` for one that has been deleted. */
  readonly version: Version | undefined
  /** When it became known, in our own counting. */
  readonly at: number
}

export function createRuleFeed({ store, index, interval }: RuleFeedOptions): RuleFeed {
  const known = new Map<string, Known>()
  const unreadable = new Map<string, string>()
  const stopped = new AbortController()
  const { signal } = stopped
  let clock = 0
  let failure: string | undefined
  let watching: Watcher<StoreEvent> | undefined

  const apply = (key: string, record: StoreRecord | undefined): void => {
    const id = key.slice(prefix.length)
    unreadable.delete(id)
    known.set(id, { version: record?.version, at: ++clock })
    if (record === undefined) {
      index.delete(id)
      return
    }
    try {
      index.set(parseRule(id, record.value))
    } catch (error) {
      // The rule that was there before stays in force: dropping a denial would allow.
      unreadable.set(id, MicroError.is(error) ? error.detail : String(error))
    }
  }

  /** Reads what has changed. A newer state that comes to be known meanwhile is left alone. */
  const look = async (options: AbortOptions): Promise<void> => {
    const began = clock
    const seen = new Set<string>()
    const untouched = (id: string): boolean => (known.get(id)?.at ?? 0) <= began
    for await (const { key, version } of store.list({ prefix, keysOnly: true, ...options })) {
      const id = key.slice(prefix.length)
      seen.add(id)
      if (known.get(id)?.version === version || !untouched(id)) continue
      const record = await store.read(key, options)
      if (untouched(id)) apply(key, record)
    }
    for (const [id, { version }] of known) {
      if (seen.has(id) || !untouched(id)) continue
      if (version === undefined) known.delete(id)
      else apply(prefix + id, undefined)
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
      else if (event.type === 'put') apply(event.record.key, event.record)
      else apply(event.key, undefined)
    }
    if (!signal.aborted) failure = 'the watch of the rules has ended'
  }

  return {
    async start(options) {
      try {
        // Watches, and only then looks, so that nothing falls between.
        watching = await store.watch?.(prefix, options)
        await look(options)
        const [bad] = unreadable
        if (bad !== undefined) {
          throw new MicroError('data_loss', `rule ${bad[0]} cannot be read: ${bad[1]}`)
        }
      } catch (error) {
        await watching?.[Symbol.asyncDispose]()
        throw error
      }
      const following = watching === undefined ? poll() : follow(watching)
      following.catch((error: unknown) => {
        if (!signal.aborted) failure = String(error)
      })
    },
    written(rule, version) {
      unreadable.delete(rule.id)
      known.set(rule.id, { version, at: ++clock })
      index.set(rule)
    },
    deleted(id) {
      known.set(id, { version: undefined, at: ++clock })
      index.delete(id)
    },
    health() {
      const [bad] = unreadable
      if (failure !== undefined) {
        return { status: 'degraded', detail: `rules as last known: ${failure}` }
      }
      if (bad === undefined) return { status: 'up' }
      return { status: 'degraded', detail: `rule ${bad[0]} as last known: ${bad[1]}` }
    },
    async stop() {
      stopped.abort(new MicroError('failed_precondition', 'access is closed'))
      await watching?.[Symbol.asyncDispose]()
    },
  }
}

export function ruleKey(id: string): string {
  return prefix + id
}

export function encodeRule({ id: _, ...rule }: Rule): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ schema: 1, ...rule }))
}

function parseRule(id: string, bytes: Uint8Array): Rule {
  const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  if (typeof parsed !== 'object' || parsed === null || !('schema' in parsed)) {
    throw new MicroError('data_loss', 'it is no rule')
  }
  if (parsed.schema !== 1) {
    throw new MicroError('data_loss', `schema ${String(parsed.schema)}; this version reads 1`)
  }
  return checkRule({ ...(parsed as unknown as Rule), id })
}
