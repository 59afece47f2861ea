import type { Node, RegistryEvent, RegistryWatcher } from './registry.ts'

/** One watch's queue: what a registry pushes in, its watcher gives out. */
export interface RegistryFeed {
  readonly watcher: RegistryWatcher
  push(event: RegistryEvent): void
  /** Ends the iteration once what is queued has been read. */
  end(): void
}

/**
 * Makes a watcher that never grows beyond the nodes it knows: changes that its reader has not taken
 * yet are merged by node, and a `reset` replaces all of them.
 */
export function createRegistryFeed(onClose: () => void): RegistryFeed {
  let reset: Map<string, Node> | undefined
  const changes = new Map<string, RegistryEvent>()
  let ended = false
  // Readers may call `next` again before it has settled.
  const waiting: (() => void)[] = []
  const wake = (): void => {
    for (const resolve of waiting.splice(0)) resolve()
  }

  const push = (event: RegistryEvent): void => {
    if (ended) return
    if (event.type === 'reset') {
      reset = new Map(event.nodes.map((node) => [keyOf(node.service, node.id), node]))
      changes.clear()
    } else {
      const node = event.type === 'put' ? event.node : event
      const key = keyOf(node.service, node.id)
      if (reset !== undefined && event.type === 'put') reset.set(key, event.node)
      else if (reset !== undefined) reset.delete(key)
      else changes.set(key, event)
    }
    wake()
  }
  const end = (): void => {
    ended = true
    wake()
  }
  const take = (): RegistryEvent | undefined => {
    if (reset !== undefined) {
      const nodes = [...reset.values()]
      reset = undefined
      return { type: 'reset', nodes }
    }
    const first = changes.entries().next()
    if (first.done === true) return undefined
    changes.delete(first.value[0])
    return first.value[1]
  }
  const close = async (): Promise<void> => {
    if (!ended) {
      ended = true
      onClose()
    }
    reset = undefined
    changes.clear()
    wake()
  }
  const next = async (): Promise<IteratorResult<RegistryEvent, undefined>> => {
    for (;;) {
      const event = take()
      if (event !== undefined) return { done: false, value: event }
      if (ended) return { done: true, value: undefined }
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
      })
    }
  }

  const watcher: RegistryWatcher = {
    next,
    async return() {
      await close()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return watcher
    },
    [Symbol.asyncDispose]: close,
  }
  return { watcher, push, end }
}

function keyOf(service: string, id: string): string {
  return `${service}\n${id}`
}
