import type { Node } from '../registry/registry.ts'
import type { Connection, Transport } from '../transport/transport.ts'
import type { ClientOptions } from './client.ts'

/** One connection per endpoint of a node, shared by all that call it. */
export interface ConnectionPool {
  /** Whether any transport here reaches the node. */
  reaches(node: Node): boolean
  isLocal(node: Node): boolean
  acquire(node: Node): PooledConnection
  /** Ends every connection at once. */
  close(): Promise<void>
}

export interface PooledConnection {
  readonly connection: Connection
  /** What the node can decode there; empty in process. */
  readonly contentTypes: readonly string[]
  /** Drains the connection once its last user has released it. */
  release(): void
}

interface Entry {
  readonly connection: Connection
  users: number
}

export function createConnectionPool(
  options: Pick<ClientOptions, 'transports' | 'local'>,
  onError: (error: unknown) => void,
): ConnectionPool {
  const { transports, local } = options
  const entries = new Map<string, Entry>()

  const isLocal = (node: Node): boolean => local?.has(node.id) === true
  const find = (node: Node) => {
    for (const transport of transports) {
      const endpoint = node.endpoints.find((one) => one.transport === transport.name)
      if (endpoint !== undefined) return { transport, endpoint }
    }
    return undefined
  }
  const open = (key: string, transport: Transport, url: string, node: string): Entry => {
    let entry = entries.get(key)
    if (entry === undefined) {
      entry = { connection: transport.dial({ transport: transport.name, url }, { node }), users: 0 }
      entries.set(key, entry)
    }
    entry.users += 1
    return entry
  }

  return {
    isLocal,
    reaches: (node) => isLocal(node) || find(node) !== undefined,
    acquire(node) {
      const found = isLocal(node) ? undefined : find(node)
      const transport = found?.transport ?? local?.transport
      if (transport === undefined) throw new Error(`no transport reaches node ${node.id}`)
      const url = found?.endpoint.url ?? 'memory:'
      const key = `${node.id}\n${transport.name}\n${url}`
      const entry = open(key, transport, url, node.id)
      let released = false
      return {
        connection: entry.connection,
        contentTypes: found?.endpoint.contentTypes ?? [],
        release() {
          if (released) return
          released = true
          entry.users -= 1
          if (entry.users > 0 || entries.get(key) !== entry) return
          entries.delete(key)
          entry.connection.drain().catch(onError)
        },
      }
    },
    async close() {
      const open = [...entries.values()]
      entries.clear()
      await Promise.all(open.map(({ connection }) => connection.close()))
    },
  }
}
