import { currentContext } from '@micro/core/context'
import type { Registry, RegistryWatcher } from '@micro/core/registry'

export function watchesLate(registry: Registry): Partial<Registry> {
  return {
    async watch(options) {
      const nodes = await registry.list(options)
      const before = await registry.watch(options)
      let later: Promise<RegistryWatcher> | undefined
      return withNext(before, async () => {
        if (later === undefined) {
          later = registry.watch(options)
          await (await later).next()
          return { done: false, value: { type: 'reset', nodes } }
        }
        return (await later).next()
      })
    },
  }
}

export function tellsItself(registry: Registry): Partial<Registry> {
  const own = new Set<string>()
  return {
    async register(node, options) {
      own.add(node.id)
      await registry.register(node, options)
    },
    async watch(options) {
      const watcher = await registry.watch(options)
      return withNext(watcher, async () => {
        for (;;) {
          const step = await watcher.next()
          if (step.done === true || step.value.type !== 'put') return step
          if (own.has(step.value.node.id)) return step
        }
      })
    },
  }
}

/** Tells only the first of the changes that one node goes through in one turn of the event loop. */
export function dropsChanges(registry: Registry): Partial<Registry> {
  return {
    async watch(options) {
      const watcher = await registry.watch(options)
      const seen = new Set<string>()
      return withNext(watcher, async () => {
        for (;;) {
          const step = await watcher.next()
          if (step.done === true || step.value.type !== 'put') return step
          const { id } = step.value.node
          if (seen.has(id)) continue
          seen.add(id)
          setImmediate(() => seen.delete(id))
          return step
        }
      })
    },
  }
}

export function endsWithSignal(registry: Registry): Partial<Registry> {
  return {
    async watch(options) {
      const watcher = await registry.watch(options)
      options?.signal?.addEventListener('abort', () => watcher[Symbol.asyncDispose]())
      return watcher
    },
  }
}

export function endsWithCall(registry: Registry): Partial<Registry> {
  return {
    async watch(options) {
      const watcher = await registry.watch(options)
      currentContext().onCancel(() => watcher[Symbol.asyncDispose]())
      return watcher
    },
  }
}

/** A watch that is `watcher` but for its `next`. */
function withNext(watcher: RegistryWatcher, next: RegistryWatcher['next']): RegistryWatcher {
  const changed: RegistryWatcher = { ...watcher, next, [Symbol.asyncIterator]: () => changed }
  return changed
}
