import { rm } from 'node:fs/promises'
import { type AbortOptions, abortable, createLifecycle, type Health } from '@micro/core/component'
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
import { makeRoot } from './make-root.ts'
import { createObserver, type Observer } from './observer.ts'
import { type FileRegistryOptions, isName, settle } from './options.ts'
import { pathOf, writeRecord } from './record-file.ts'
import { createScanner } from './scanner.ts'
import { createSequence } from './sequence.ts'

const label = 'registry "file"'
const defaultTtl = 15_000

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
  const changes = createSequence()
  let observer: Observer | undefined
  let listProblem: unknown

  const reach = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw fromFileSystem(error, settings.root)
    }
  }
  const stopObserving = (): void => {
    observer?.stop()
    observer = undefined
  }
  const lifecycle = createLifecycle({
    label,
    open: () => reach(() => makeRoot(settings)),
    async close() {
      stopObserving()
      for (const feed of feeds.keys()) feed.end()
      feeds.clear()
      await changes.idle()
    },
  })
  const ready = async (callOptions: AbortOptions | undefined): Promise<void> => {
    await lifecycle.connect(callOptions)
    callOptions?.signal?.throwIfAborted()
    // Closed while this waited: what is opened now, no one would close.
    if (lifecycle.closed) throw new MicroError('failed_precondition', `${label} is closed`)
  }
  /**
   * An abort ends the wait, not a write that has begun. In order, so that such a write does not
   * bring back a node that is withdrawn right after.
   */
  const change = async (
    { service, id }: Pick<Node, 'id' | 'service'>,
    callOptions: AbortOptions | undefined,
    work: () => Promise<void>,
  ): Promise<void> => {
    await ready(callOptions)
    const signal = callOptions?.signal
    const done = changes.run(`${service}/${id}`, async () => {
      signal?.throwIfAborted()
      await reach(work)
    })
    await abortable(done, signal)
  }
  const publish = (event: RegistryEvent): void => {
    for (const [feed, service] of feeds) if (concerns(event, service)) feed.push(event)
  }

  return {
    name: 'file',
    contract: 'registry/0',
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health(): Health {
      if (lifecycle.closed) return { status: 'down' }
      // While it is watched, the latest look knows best.
      const problem = observer === undefined ? listProblem : observer.problem
      if (problem === undefined) return { status: 'up' }
      return { status: 'degraded', detail: fromFileSystem(problem, settings.root).detail }
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
      await change(node, registerOptions, () =>
        writeRecord(settings, { node, expires: Date.now() + ttl }),
      )
    },

    async deregister(node, callOptions) {
      for (const field of ['service', 'id'] as const) {
        if (isName(node[field])) continue
        throw new MicroError(
          'invalid_argument',
          `${field} must be letters, digits, "_", "." and "-", at most 255`,
        )
      }
      await change(node, callOptions, () => rm(pathOf(settings.root, node), { force: true }))
    },

    async list(listOptions) {
      await ready(listOptions)
      const scanner = createScanner(settings)
      const look = async (): Promise<readonly Node[]> => {
        try {
          await scanner.scan(listOptions?.service)
          return [...(await scanner.living()).values()].map(({ node }) => node)
        } finally {
          listProblem = scanner.problem
        }
      }
      return await abortable(reach(look), listOptions?.signal)
    },

    async watch(listOptions) {
      await ready(listOptions)
      const service = listOptions?.service
      const feed = createRegistryFeed(() => {
        feeds.delete(feed)
        if (feeds.size === 0) stopObserving()
      })
      feeds.set(feed, service)
      observer ??= createObserver(settings, publish)
      const { look } = observer
      try {
        const nodes = await abortable(reach(look), listOptions?.signal)
        // Events that came during the look are part of it, and replaced by this.
        feed.push({ type: 'reset', nodes: select(nodes, service) })
        return feed.watcher
      } catch (error) {
        await feed.watcher[Symbol.asyncDispose]()
        throw error
      }
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
