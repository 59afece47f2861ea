import type { Sync } from '@micro/core/sync'
import type { SuiteOptions } from '../kit/harness.ts'

export interface SyncSuiteOptions extends SuiteOptions<Sync> {
  /** Milliseconds: the shortest ttl that the backend keeps well. @default 1000 */
  readonly ttl?: number
}
