import type { Connection } from './connection.ts'

/** Calls of other processes, by channel, over one connection of their own. */
export interface Wakes {
  /** Resolves once calls from now on are heard. Called also whenever some may have been missed. */
  listen(channel: string, wake: () => void): Promise<void>
  ignore(channel: string, wake: () => void): void
  /** Finds out whether the connection is still good. */
  check(): void
}

/**
 * A call may be lost with the connection, so after each reconnection everybody is woken; until then
 * they look by themselves at intervals.
 */
export function createWakes(connection: Connection): Wakes {
  const listeners = new Map<string, Set<() => void>>()
  connection.client.on('message', (channel) => {
    for (const wake of listeners.get(String(channel)) ?? []) wake()
  })
  const wakeAll = (): void => {
    for (const set of listeners.values()) for (const wake of set) wake()
  }
  const quietly = async (work: Promise<unknown>): Promise<void> => {
    try {
      await work
    } catch {
      // The connection has ended, and with the next one all channels are subscribed again.
    }
  }
  connection.onReady(() => {
    if (listeners.size === 0) return
    void quietly(connection.client.subscribe(...listeners.keys()).then(wakeAll))
  })

  return {
    async listen(channel, wake) {
      const known = listeners.get(channel)
      if (known !== undefined) {
        known.add(wake)
        return
      }
      listeners.set(channel, new Set([wake]))
      if (connection.isReady) await quietly(connection.client.subscribe(channel))
    },
    ignore(channel, wake) {
      const known = listeners.get(channel)
      known?.delete(wake)
      if (known?.size !== 0) return
      listeners.delete(channel)
      if (connection.isReady) void quietly(connection.client.unsubscribe(channel))
    },
    check() {
      if (connection.isReady) void quietly(connection.call('PING', []))
    },
  }
}
