import type { AbortOptions, Component } from '../component/component.ts'
import type { Watcher } from '../component/event-feed.ts'

export interface LockOptions extends AbortOptions {
  /** Milliseconds until another may take the lock if this holder falls silent. @default 15000 */
  readonly ttl?: number | undefined
  /** Milliseconds to wait for the lock; 0 tries once. @default until the signal aborts */
  readonly wait?: number | undefined
}

/** What a holder has. Renewed by itself until it is released or lost. */
interface Held extends AsyncDisposable {
  readonly key: string
  /**
   * Fencing token: greater than that of every earlier holder of the key. Send it along with writes
   * to what the lock protects, and refuse there what comes with a smaller one.
   *
   * Source: M. Kleppmann, "How to do distributed locking", 2016.
   */
  readonly token: bigint
  /** Aborts before another can become holder while this one thinks that it still is. */
  readonly lost: AbortSignal
}

export interface Lock extends Held {
  /** Lets go. After a loss it does nothing. Idempotent. */
  release(options?: AbortOptions): Promise<void>
}

export interface Leader {
  /** What the candidate gave as its own. */
  readonly id: string
  readonly token: bigint
}

/** `undefined` while nobody leads. */
export interface LeaderChange {
  readonly leader: Leader | undefined
}

export interface Leadership extends Held, Leader {
  /** Steps down. After a loss it does nothing. Idempotent. */
  resign(options?: AbortOptions): Promise<void>
}

export interface CampaignOptions extends LockOptions {
  /** Who this candidate is, for those who observe: up to 512 characters. @default a random one */
  readonly id?: string | undefined
}

/** One office that one candidate holds at a time. */
export interface Election {
  /** Resolves once this candidate leads. @throws `aborted` when `wait` is over. */
  campaign(options?: CampaignOptions): Promise<Leadership>
  /** Who leads now, and after each change. Changes may be merged, the last always comes. */
  observe(options?: AbortOptions): Promise<Watcher<LeaderChange>>
}

export interface SyncSupports {
  /** Those who wait get the lock in the order in which they came. */
  readonly fair: boolean
}

/**
 * Mutual exclusion and leadership between processes. How memory and real backends implement each
 * member is written in the README beside this file.
 */
export interface Sync extends Component {
  readonly contract: 'sync/0'
  readonly supports: SyncSupports
  /**
   * Resolves once the lock is held.
   *
   * @throws `aborted` when `wait` is over and another holds it; `invalid_argument`; `unavailable`.
   */
  lock(key: string, options?: LockOptions): Promise<Lock>
  /** Does no I/O. Elections and locks have keys of their own. */
  leader(key: string): Election
}
