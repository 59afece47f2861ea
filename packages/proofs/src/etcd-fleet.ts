import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createService, type Service } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { createRegistrar } from '@micro/core/registry'
import type { Picker, Selector } from '@micro/core/selector'
import { etcdRegistry } from '@micro/plugin-registry-etcd'
import { httpTransport } from '@micro/plugin-transport-http'
import type { Etcd } from '@micro/test-services'
import { Work } from './work.ts'

/** Is closed in the reverse order of what was opened. */
export interface EtcdFleet extends AsyncDisposable {
  /** A service in this process that is found by etcd. */
  serve(): Promise<Service>
  /** A process of its own that is found by etcd. */
  start(): Promise<{ readonly id: string; readonly process: ChildProcess }>
  /** A caller. */
  connect(selector?: Selector): Promise<Service>
  /** That many nodes more, which nobody calls, of `registries` processes as it seems to etcd. */
  crowd(nodes: number, registries: number): Promise<void>
}

export function createEtcdFleet(etcd: Etcd, ttl: number): EtcdFleet {
  const closing: (() => unknown)[] = []
  const open = (options: { name: string; selector?: Selector }): Service => {
    const service = createService({
      ...options,
      registry: etcdRegistry({ hosts: etcd.address, lossGrace: ttl }),
      registration: { ttl },
      transports: [httpTransport()],
      logger: memoryLogger(),
      shutdown: { signals: false },
    })
    closing.push(() => service.stop())
    return service
  }
  return {
    async serve() {
      const service = open({ name: 'worker' })
      service.handle(Work, { safe: () => service.id, once: () => service.id })
      await service.start()
      return service
    },
    async start() {
      const script = join(import.meta.dirname, 'etcd-worker.ts')
      const child = spawn(process.execPath, [script, etcd.address], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      closing.push(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return
        child.kill('SIGKILL')
        await once(child, 'exit')
      })
      const { value, done } = await createInterface({ input: child.stdout })
        [Symbol.asyncIterator]()
        .next()
      if (done === true) throw new Error(`a worker did not start: ${child.exitCode}`)
      return { id: value, process: child }
    },
    async connect(selector) {
      const client = open({ name: 'client', ...(selector === undefined ? {} : { selector }) })
      await client.start()
      return client
    },
    async crowd(nodes, registries) {
      for (let at = 0; at < registries; at++) {
        const registry = etcdRegistry({ hosts: etcd.address })
        closing.push(() => registry.close())
        const own = Math.ceil((nodes - at) / registries)
        const registrars = Array.from({ length: own }, (_, n) => {
          const id = `crowd-${at}-${n}`
          const node = { schema: 1, id, service: 'crowd', version: '1', weight: 1 } as const
          return createRegistrar({ registry, nodes: [{ ...node, labels: {}, endpoints: [] }], ttl })
        })
        closing.push(() => Promise.all(registrars.map((registrar) => registrar.stop())))
        await Promise.all(registrars.map((registrar) => registrar.start()))
      }
    },
    async [Symbol.asyncDispose]() {
      for (const close of closing.splice(0).reverse()) await close()
    },
  }
}

/** Counts how often each node is picked. */
export function countPicks(selector: Selector): { selector: Selector; picks: Map<string, number> } {
  const picks = new Map<string, number>()
  return {
    picks,
    selector: {
      ...selector,
      prepare(routes, previous) {
        const picker = selector.prepare(routes, previous)
        const counting: Picker = {
          pick(call) {
            const route = picker.pick(call)
            if (route !== undefined) {
              picks.set(route.node.id, (picks.get(route.node.id) ?? 0) + 1)
            }
            return route
          },
        }
        return counting
      },
    },
  }
}
