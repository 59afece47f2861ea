import type { Component } from '@micro/core/component'
import type { Harness } from './harness.ts'

/** One thing that an implementation must do. Rejects, or fails an `expect`, if it does not. */
export interface Case<C extends Component> {
  readonly name: string
  readonly run: (harness: Harness<C>) => Promise<void>
  /** Whether the component's own `supports` claims what the case needs. @default it does */
  readonly supported?: (component: C) => boolean
  /** Runs instead where it is not supported, and proves that the ability really is absent. */
  readonly absent?: (harness: Harness<C>) => Promise<void>
}

/** Cases that belong together: `concurrency`, `watch`, `lifecycle`. */
export interface Trait<C extends Component> {
  readonly name: string
  readonly cases: readonly Case<C>[]
}
