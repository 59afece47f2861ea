import { createLifecycle } from '../component/lifecycle.ts'
import { unrefTimer } from '../component/timing.ts'
import { MicroError } from '../errors/micro-error.ts'
import { validateNode } from './node.ts'
import type { ListOptions, Node, Registry } from './registry.ts'
import { createRegistryFeed, type RegistryFeed } from './registry-feed.ts'

interface Entry {
  readonly node: Node
  readonly timer: ReturnType<typeof setTimeout>
}

const defaultTtl = 15_000

/** Discovery within one process; services share it by sharing the object. */
export function memoryRegistry(): Registry {
  const entries = new Map<string, Entry>()
  const feeds = new Map<RegistryFeed, string | undefined>()
  const lifecycle = createLifecycle({
    label: 'registry "memory"',
    close() {
      for (const { timer } of entries.values()) clearTimeout(timer)
      entries.clear()
      for (const feed of feeds.keys()) feed.end()
      feeds.clear()
    },
  })

  const select = (options: ListOptions | undefined): Node[] =>
    [...entries.values()]
      .map((entry) => entry.node)
      .filter((node) => options?.service === undefined || node.service === options.service)
  const remove = (node: Pick<Node, 'id' | 'service'>): void => {
    const entry = entries.get(keyOf(node))
    if (entry === undefined) return
    clearTimeout(entry.timer)
    entries.delete(keyOf(node))
    for (const [feed, service] of feeds) {
      if (service === undefined || service === node.service) {
        feed.push({ type: 'delete', service: node.service, id: node.id })
      }
    }
  }

  return {
    name: 'memory',
    contract: 'registry/0',
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health: () => ({ status: lifecycle.closed ? 'down' : 'up' }),

    async register(node, options) {
      await lifecycle.connect(options)
      validateNode(node)
      const ttl = options?.ttl ?? defaultTtl
      if (!(ttl > 0 && ttl <= 2 ** 31 - 1)) {
        throw new MicroError(
          'invalid_argument',
          `ttl: ${ttl}; give milliseconds from 1 to 2^31 - 1`,
        )
      }
      const copy = structuredClone(node)
      const previous = entries.get(keyOf(node))
      if (previous !== undefined) clearTimeout(previous.timer)
      entries.set(keyOf(node), {
        node: copy,
        timer: unrefTimer(setTimeout(() => remove(copy), ttl)),
      })
      if (previous !== undefined && sameNode(previous.node, copy)) return
      for (const [feed, service] of feeds) {
        if (service === undefined || service === node.service)
          feed.push({ type: 'put', node: copy })
      }
    },

    async deregister(node, options) {
      await lifecycle.connect(options)
      remove(node)
    },

    async list(options) {
      await lifecycle.connect(options)
      return select(options)
    },

    async watch(options) {
      await lifecycle.connect(options)
      const feed = createRegistryFeed(() => feeds.delete(feed))
      feeds.set(feed, options?.service)
      feed.push({ type: 'reset', nodes: select(options) })
      return feed.watcher
    },
  }
}

function keyOf(node: Pick<Node, 'id' | 'service'>): string {
  return `${node.service}\n${node.id}`
}

function sameNode(a: Node, b: Node): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
