import type { Messaging } from './messaging.ts'

/** Messaging whose code is loaded by the first use: most services that only call never pay for it. */
export function lazyMessaging(load: () => Promise<Messaging>): Messaging {
  let loading: Promise<Messaging> | undefined
  const ready = (): Promise<Messaging> => {
    loading ??= load()
    return loading
  }
  return {
    publish: async (...parameters) => (await ready()).publish(...parameters),
    publishAll: async (...parameters) => (await ready()).publishAll(...parameters),
    subscribe: async (...parameters) => (await ready()).subscribe(...parameters),
    subscribeBatch: async (...parameters) => (await ready()).subscribeBatch(...parameters),
  }
}
