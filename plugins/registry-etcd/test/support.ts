import type { Node, Registry, RegistryEvent } from '@micro/core/registry'
import { type EtcdClient, openClient, settleEtcd } from '@micro/etcd-client'
import { afterEach } from 'vitest'

/** Full length of outages at 1. */
export const scale = Number(process.env['MICRO_SCALE'] ?? '0.01')

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Runs after the test, the last one first. */
export function afterwards(work: () => unknown): void {
  closing.push(work)
}

export function closedAfterwards<T extends AsyncDisposable>(component: T): T {
  afterwards(() => component[Symbol.asyncDispose]())
  return component
}

export function makeNode(id: string, over: Partial<Node> = {}): Node {
  return {
    schema: 1,
    id,
    service: 'greeter',
    version: '1.0.0',
    weight: 1,
    labels: {},
    endpoints: [
      { transport: 'http', url: 'http://10.0.0.7:80', contentTypes: ['application/json'] },
    ],
    ...over,
  }
}

export interface Followed {
  readonly events: RegistryEvent[]
  /** Ids of the nodes known so far, in order. */
  ids(): string[]
  /** Reads events until it is so. */
  until(done: () => boolean): Promise<void>
}

export async function followNodes(registry: Registry, service?: string): Promise<Followed> {
  const watcher = closedAfterwards(await registry.watch({ service }))
  const events: RegistryEvent[] = []
  const nodes = new Map<string, Node>()
  return {
    events,
    ids: () => [...nodes.keys()].sort(),
    async until(done) {
      while (!done()) {
        const { value: event, done: ended } = await watcher.next()
        if (ended === true) throw new Error('the watch has ended')
        events.push(event)
        if (event.type === 'reset') {
          nodes.clear()
          for (const node of event.nodes) nodes.set(node.id, node)
        } else if (event.type === 'put') nodes.set(event.node.id, event.node)
        else nodes.delete(event.id)
      }
    },
  }
}

export function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** A client of etcd that counts its watches, as an application passes its own. */
export function countedClient(address: string): { client: EtcdClient; readonly watches: number } {
  const client = openClient(settleEtcd('test', {}, []), address)
  afterwards(() => client.close())
  let watches = 0
  return {
    client: {
      kv: client.kv,
      leaseClient: client.leaseClient,
      watchClient: {
        watch(options) {
          watches += 1
          return client.watchClient.watch(options)
        },
      },
    },
    get watches() {
      return watches
    },
  }
}
