export type { AbortOptions, Component, Health, HealthStatus } from './component.ts'
export { requireContract } from './contract.ts'
export {
  createEventFeed,
  type EventFeed,
  type EventFeedOptions,
  type Watcher,
} from './event-feed.ts'
export { IdTable, type Numbered } from './id-table.ts'
export { createLifecycle, type Lifecycle, type LifecycleHooks } from './lifecycle.ts'
export { type Awaitable, abortable, isPromise } from './promises.ts'
export { staticComponent } from './static-component.ts'
export { backoff, jitter, sleep, unrefTimer } from './timing.ts'
