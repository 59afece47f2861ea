import { createLifecycle, type Health, type Lifecycle, type Watcher } from '@micro/core/component'
import type { Store, StoreEvent } from '@micro/core/store'

export interface ViewHooks {
  readonly store: Store
  /** For errors: `cached store "memory"`. */
  readonly label: string
  readonly open?: () => Promise<void>
  readonly close?: () => Promise<void>
  /** What is wrong with the view itself. */
  readonly problem: () => string | undefined
}

/** What all views have: a life of their own, that ends without the store below. */
export interface View {
  readonly lifecycle: Lifecycle
  readonly component: Omit<Store, 'read' | 'write' | 'delete' | 'list' | 'commit' | 'watch'>
  /** A watcher that maps events, and ends with the view. */
  follow(watcher: Watcher<StoreEvent>, map: (event: StoreEvent) => StoreEvent): Watcher<StoreEvent>
}

export function createView({ store, label, open, close, problem }: ViewHooks): View {
  const watchers = new Set<Watcher<StoreEvent>>()
  const lifecycle = createLifecycle({
    label,
    async open() {
      await store.connect()
      await open?.()
    },
    async close() {
      await Promise.all([...watchers].map((watcher) => watcher[Symbol.asyncDispose]()))
      await close?.()
    },
  })
  return {
    lifecycle,
    component: {
      name: store.name,
      contract: 'store/0',
      supports: store.supports,
      connect: lifecycle.connect,
      close: lifecycle.close,
      [Symbol.asyncDispose]: () => lifecycle.close(),
      health(): Health {
        if (lifecycle.closed) return { status: 'down' }
        const detail = problem()
        return detail === undefined ? store.health() : { status: 'degraded', detail }
      },
    },
    follow(watcher, map) {
      const end = async (): Promise<void> => {
        watchers.delete(watcher)
        await watcher[Symbol.asyncDispose]()
      }
      watchers.add(watcher)
      const mapped: Watcher<StoreEvent> = {
        async next() {
          const step = await watcher.next()
          return step.done === true ? step : { done: false, value: map(step.value) }
        },
        async return() {
          await end()
          return { done: true, value: undefined }
        },
        [Symbol.asyncIterator]: () => mapped,
        [Symbol.asyncDispose]: end,
      }
      return mapped
    },
  }
}
