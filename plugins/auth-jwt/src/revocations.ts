import type { AbortOptions, Health } from '@micro/core/component'
import { createStoreMirror, type Store } from '@micro/core/store'

const prefix = 'revoked/'

/** Ids of tokens, and of families of them, that are not good any more: all in memory. */
export interface Revocations {
  start(options: AbortOptions): Promise<void>
  has(id: string): boolean
  /** Until `expiresAt`, in milliseconds since 1970: later the token is no good anyway. */
  add(id: string, expiresAt: number, options: AbortOptions): Promise<void>
  health(): Health
  stop(): Promise<void>
}

export function createRevocations(store: Store): Revocations {
  const ids = new Set<string>()
  const mirror = createStoreMirror({
    store,
    prefix,
    interval: 500,
    apply(key, record) {
      if (record === undefined) ids.delete(key.slice(prefix.length))
      else ids.add(key.slice(prefix.length))
    },
  })
  return {
    start: mirror.start,
    has: (id) => ids.has(id),
    async add(id, expiresAt, options) {
      // A little longer, for clocks that are behind.
      const ttl = Math.max(1, Math.ceil(expiresAt - Date.now())) + 600_000
      const version = await store.write(prefix + id, new Uint8Array(), {
        ttl,
        signal: options.signal,
      })
      mirror.touched(prefix + id, version)
      ids.add(id)
    },
    health: mirror.health,
    stop: mirror.stop,
  }
}
