import { mkdir, rm } from 'node:fs/promises'
import { type AbortOptions, createLifecycle, type Health } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import {
  createRegistryFeed,
  type Node,
  type Registry,
  type RegistryEvent,
  type RegistryFeed,
  validateNode,
} from '@micro/core/registry'
import { fromFileSystem } from './errors.ts'
import { createObserver } from './observer.ts'
import { type FileRegistryOptions, settle } from './options.ts'
import { pathOf, writeRecord } from './record-file.ts'
import { scan } from './scan.ts'

const defaultTtl = 15_000
/** They become part of a path. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/

/**
 * Discovery by a directory that the processes of one machine share.
 *
 * Closing withdraws nothing: a node is deregistered by its owner, or lapses with its ttl.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function fileRegistry(options: FileRegistryOptions = {}): Registry {
  const settings = settle(options)
  const feeds = new Map<RegistryFeed, string | undefined>()
  const observer = createObserver(settings, (event) => {
    for (const [feed, service] of feeds) if (concerns(event, service)) feed.push(event)
  })
  const lifecycle = createLifecycle({
    label: 'registry "file"',
    open: async () => {
      await reach(() => mkdir(settings.root, { recursive: true, mode: 0o700 }))
    },
    close() {
      observer.stop()
      for (const feed of feeds.keys()) feed.end()
      feeds.clear()
    },
  })
  const reach = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw fromFileSystem(error, settings.root)
    }
  }
  const ready = async (callOptions: AbortOptions | undefined): Promise<void> => {
    await lifecycle.connect(callOptions)
    callOptions?.signal?.throwIfAborted()
  }

  return {
    name: 'file',
    contract: 'registry/0',
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health(): Health {
      if (lifecycle.closed) return { status: 'down' }
      if (observer.failure === undefined) return { status: 'up' }
      return { status: 'degraded', detail: fromFileSystem(observer.failure, settings.root).detail }
    },

    async register(node, registerOptions) {
      validateNode(node)
      const ttl = registerOptions?.ttl ?? defaultTtl
      if (!(ttl > 0 && ttl <= 2 ** 31 - 1)) {
        throw new MicroError(
          'invalid_argument',
          `ttl: ${ttl}; give milliseconds from 1 to 2^31 - 1`,
        )
      }
      await ready(registerOptions)
      await reach(() => writeRecord(settings.root, { node, expires: Date.now() + ttl }))
    },

    async deregister(node, callOptions) {
      if (![node.service, node.id].every((name) => namePattern.test(name))) {
        throw new MicroError(
          'invalid_argument',
          'service and id are names of letters, digits, "_", "." and "-"',
        )
      }
      await ready(callOptions)
      await reach(() => rm(pathOf(settings.root, node), { force: true }))
    },

    async list(listOptions) {
      await ready(listOptions)
      const living = await reach(() => scan(settings, { files: new Map() }))
      return select(
        [...living.values()].map(({ node }) => node),
        listOptions?.service,
      )
    },

    async watch(listOptions) {
      await ready(listOptions)
      const service = listOptions?.service
      const feed = createRegistryFeed(() => {
        feeds.delete(feed)
        if (feeds.size === 0) observer.stop()
      })
      feeds.set(feed, service)
      const nodes = await observer.start()
      if (observer.failure !== undefined) {
        await feed.watcher[Symbol.asyncDispose]()
        throw fromFileSystem(observer.failure, settings.root)
      }
      // Events that came during the look are part of it, and replaced by this.
      feed.push({ type: 'reset', nodes: select(nodes, service) })
      return feed.watcher
    },
  }
}

function select(nodes: readonly Node[], service: string | undefined): readonly Node[] {
  return service === undefined ? nodes : nodes.filter((node) => node.service === service)
}

function concerns(event: RegistryEvent, service: string | undefined): boolean {
  if (service === undefined || event.type === 'reset') return true
  return (event.type === 'put' ? event.node.service : event.service) === service
}
