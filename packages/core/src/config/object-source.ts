import { createEventFeed, type EventFeed } from '../component/event-feed.ts'
import { createLifecycle } from '../component/lifecycle.ts'
import type { ConfigSource, ConfigTree, ConfigValues } from './config-source.ts'
import { freeze } from './paths.ts'

export interface ObjectSourceOptions {
  /** What it says at first. */
  readonly values: ConfigValues
  /** For `explain`. @default 'object' */
  readonly name?: string
}

export interface ObjectSource extends ConfigSource {
  /** Says something else from now on. */
  replace(values: ConfigValues): void
}

/** Values given by the program: defaults, and the config of tests. */
export function objectSource(options: ObjectSourceOptions): ObjectSource {
  const { name = 'object' } = options
  let tree: ConfigTree = { values: freeze(structuredClone(options.values)) }
  const feeds = new Set<EventFeed<ConfigTree>>()
  const label = `config source "${name}"`
  const lifecycle = createLifecycle({
    label,
    close() {
      for (const feed of feeds) feed.end()
      feeds.clear()
    },
  })
  return {
    name,
    contract: 'config/0',
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health: () => ({ status: lifecycle.closed ? 'down' : 'up' }),
    async load(loadOptions) {
      await lifecycle.connect(loadOptions)
      return tree
    },
    async *watch(watchOptions) {
      await lifecycle.connect(watchOptions)
      const signal = watchOptions?.signal
      const feed = createEventFeed<ConfigTree>({
        // Only the last tree counts.
        keyOf: () => '',
        overflow: tree,
        onClose: () => feeds.delete(feed),
      })
      const end = (): void => void feed.watcher.return?.()
      feeds.add(feed)
      feed.push({ ...tree })
      signal?.addEventListener('abort', end, { once: true })
      try {
        yield* feed.watcher
      } finally {
        signal?.removeEventListener('abort', end)
        await feed.watcher[Symbol.asyncDispose]()
      }
    },
    replace(values) {
      tree = { values: freeze(structuredClone(values)) }
      for (const feed of feeds) feed.push({ ...tree })
    },
  }
}
