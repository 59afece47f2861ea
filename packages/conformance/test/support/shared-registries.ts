import { createLifecycle } from '@micro/core/component'
import { memoryRegistry, type Registry } from '@micro/core/registry'

/**
 * Instances of the memory registry that share one scope's nodes, as clients of a server would: each
 * has a life of its own, and closing it leaves the shared one open.
 */
export function sharedRegistries(): (scope: string) => Registry {
  const shared = new Map<string, Registry>()
  return (scope) => {
    const registry = shared.get(scope) ?? memoryRegistry()
    shared.set(scope, registry)
    return instanceOf(registry)
  }
}

function instanceOf(shared: Registry): Registry {
  const ends = new Set<() => PromiseLike<void>>()
  const lifecycle = createLifecycle({
    label: 'registry "memory"',
    async close() {
      await Promise.all([...ends].map((end) => end()))
    },
  })
  return {
    name: shared.name,
    contract: shared.contract,
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health: () => ({ status: lifecycle.closed ? 'down' : 'up' }),
    async register(node, options) {
      await lifecycle.connect(options)
      await shared.register(node, options)
    },
    async deregister(node, options) {
      await lifecycle.connect(options)
      await shared.deregister(node, options)
    },
    async list(options) {
      await lifecycle.connect(options)
      return shared.list(options)
    },
    async watch(options) {
      await lifecycle.connect(options)
      const watcher = await shared.watch(options)
      ends.add(() => watcher[Symbol.asyncDispose]())
      // Closed meanwhile: nobody else would end it.
      if (lifecycle.closed) await watcher[Symbol.asyncDispose]()
      return watcher
    },
  }
}
