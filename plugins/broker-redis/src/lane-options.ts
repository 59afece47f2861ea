import type { Deliver } from '@micro/core/broker'
import type { Connection } from './connection.ts'

export interface LaneOptions {
  readonly connection: Connection
  readonly partition: number
  /** Shows that the partition is still ours; another owner has another one. */
  readonly token: string
  /** A former lane of ours may have requests with it under way. */
  readonly tokenInDoubt: boolean
  readonly group: string
  /** Names in Redis: topic, lanes of the group, stream; channel of changes. */
  readonly keys: readonly [topic: string, lanes: string, stream: string]
  readonly changes: string
  readonly deliver: Deliver
  readonly batch: number
  readonly prefetch: number
  readonly timeout: number
  /** Ends when what was in hand of the partition, when it was lost before, has been handled. */
  readonly after: Promise<void> | undefined
  readonly isPaused: () => boolean
  /** Whether others know us to be alive; what is ours may otherwise be theirs by now. */
  readonly isAlive: () => boolean
  readonly onDelivered: (count: number) => void
  /** It has found that it belongs to another. */
  readonly onLost: () => void
}

/** What one subscription does with a partition that it owns: reads, delivers, settles, in order. */
export interface Lane {
  readonly partition: number
  readonly token: string
  /** Resolves when no handler of it runs any more. */
  readonly ended: Promise<void>
  /** Looks whether there is something new, or goes on after a pause. */
  wake(): void
  /** Resolves when nothing of it runs any more, and the partition has been given up. */
  release(): Promise<void>
  /** It belongs to another now. */
  lose(): void
}
