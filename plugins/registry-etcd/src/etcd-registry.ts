import { type AbortOptions, abortable, createLifecycle, type Health } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import { type Node, type Registry, validateNode } from '@micro/core/registry'
import { createConnection, keysBelow, readRange } from '@micro/etcd-client'
import { createAnnouncements } from './announcements.ts'
import { keyOf, layoutOf, prefixOf } from './layout.ts'
import { createObserver, type Observer } from './observer.ts'
import { type EtcdRegistryOptions, settle } from './options.ts'
import { createRecordReader } from './records.ts'

const label = 'registry "etcd"'
const defaultTtl = 15_000

/**
 * Discovery by etcd.
 *
 * Closing withdraws nothing: a node is deregistered by its owner, or lapses with its ttl.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function etcdRegistry(options: EtcdRegistryOptions = {}): Registry {
  const settings = settle(options)
  const connection = createConnection(settings.etcd, label)
  const layout = layoutOf(settings)
  const reader = createRecordReader(layout, settings)
  const announcements = createAnnouncements(connection)
  const observers = new Map<string | undefined, Observer>()

  const lifecycle = createLifecycle({
    label,
    async close() {
      for (const observer of observers.values()) observer.close()
      observers.clear()
      connection.close()
      await announcements.idle()
    },
  })
  const ready = async (callOptions: AbortOptions | undefined): Promise<void> => {
    await lifecycle.connect(callOptions)
    callOptions?.signal?.throwIfAborted()
  }
  /** An abort ends the wait, not a write that has begun. */
  const change = async (
    callOptions: AbortOptions | undefined,
    work: () => Promise<void>,
  ): Promise<void> => {
    await ready(callOptions)
    await abortable(runInRoot(work), callOptions?.signal)
  }
  const observerOf = (service: string | undefined): Observer => {
    const known = observers.get(service)
    if (known !== undefined) return known
    const observer = createObserver({
      connection,
      layout,
      reader,
      service,
      interval: settings.relistInterval,
      lossGrace: settings.lossGrace,
      onIdle() {
        observers.delete(service)
        observer.close()
      },
    })
    observers.set(service, observer)
    return observer
  }

  return {
    name: 'etcd',
    contract: 'registry/0',
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health(): Health {
      if (lifecycle.closed) return { status: 'down' }
      for (const { problem } of [...observers.values(), connection]) {
        if (problem !== undefined) return { status: 'degraded', detail: problem.detail }
      }
      // Records of others that are wrong do not make this one worse.
      const { complaint } = reader
      return complaint === undefined ? { status: 'up' } : { status: 'up', detail: complaint }
    },

    async register(node, registerOptions) {
      validateNode(node)
      const ttl = registerOptions?.ttl ?? defaultTtl
      if (!(ttl > 0 && ttl <= 2 ** 31 - 1)) {
        throw invalid(`ttl: ${ttl}; give milliseconds from 1 to 2^31 - 1`)
      }
      const value = layout.encode(node)
      const size = Buffer.byteLength(value)
      if (size > settings.maxRecordSize) {
        throw invalid(`node ${node.id}: ${size} bytes, more than option maxRecordSize allows`)
      }
      const key = keyOf(layout, node)
      await change(registerOptions, () => announcements.put({ key, value, ttl }))
    },

    async deregister(node, callOptions) {
      for (const field of ['service', 'id'] as const) {
        if (isName(node[field])) continue
        throw invalid(`${field} must be letters, digits, "_", "." and "-", at most 255`)
      }
      await change(callOptions, () => announcements.remove(keyOf(layout, node)))
    },

    async list(listOptions) {
      await ready(listOptions)
      const range = keysBelow(prefixOf(layout, listOptions?.service))
      const { entries } = await readRange(connection, range, listOptions)
      return entries.flatMap((entry): Node[] => {
        const node = reader.read(entry)
        return node === undefined ? [] : [node]
      })
    },

    async watch(listOptions) {
      await ready(listOptions)
      return await observerOf(listOptions?.service).watch({ signal: listOptions?.signal })
    },
  }
}

/** What `@micro/core` allows as a service's name: no slash, so that it stays in its place. */
function isName(value: unknown): boolean {
  return (
    typeof value === 'string' && value.length <= 255 && /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(value)
  )
}

function invalid(why: string): MicroError {
  return new MicroError('invalid_argument', why)
}
