import { setTimeout as wait } from 'node:timers/promises'
import { memoryRegistry, type Registry, type RegistryWatcher } from '@micro/core/registry'
import { registryRouter } from '@micro/core/router'
import { type Picker, randomSelector } from '@micro/core/selector'
import { etcdRegistry } from '@micro/plugin-registry-etcd'
import { etcdBinary, startEtcd, startServer } from '@micro/test-services'
import { churn, fill, now, service } from './registry-nodes.ts'

const nodes = 10_000
const seconds = 20

/** A caller of ten thousand nodes of which one in a hundred is replaced each second. */
export async function benchRegistry(): Promise<void> {
  const memory = memoryRegistry()
  await fill(memory, nodes)
  const ending = new AbortController()
  const churning = churn(memory, nodes, ending.signal)
  await follow(`memory registry, ${nodes} nodes, the churn in the same process`, memory)
  ending.abort()
  await churning

  const binary = etcdBinary()
  if (binary === undefined) {
    console.log('registry-etcd: not measured, install etcd first')
    return
  }
  const etcd = await startEtcd(binary)
  const began = performance.now()
  const script = `${import.meta.dirname}/registry-churn.ts`
  const writer = await startServer({
    command: process.execPath,
    args: [script, etcd.address, String(nodes)],
    ready: (line) => (line === 'ready' ? line : undefined),
    timeout: 300_000,
  })
  const filled = (performance.now() - began) / 1_000
  const registry = etcdRegistry({ hosts: etcd.address })
  await follow(`registry-etcd, ${nodes} nodes, registered in ${filled.toFixed(1)} s`, registry)
  await registry.close()
  await writer.stop('SIGKILL')
  await etcd.stop()
}

async function follow(what: string, registry: Registry): Promise<void> {
  const told: number[] = []
  let events = 0
  const router = registryRouter({
    registry: {
      name: registry.name,
      async watch(options) {
        const watcher = await registry.watch(options)
        const counting: RegistryWatcher = {
          [Symbol.asyncIterator]: () => counting,
          [Symbol.asyncDispose]: () => watcher[Symbol.asyncDispose](),
          async next() {
            const step = await watcher.next()
            if (step.done === true) return step
            events += 1
            if (step.value.type === 'put') told.push(Number(step.value.node.labels['at']))
            return step
          },
        }
        return counting
      },
    },
  })
  const view = router.view({ service })
  const selector = randomSelector()
  const listed = performance.now()
  let seen = await view.ready()
  const first = performance.now() - listed
  let picker: Picker = selector.prepare(seen)
  const latencies: number[] = []
  let snapshots = 0
  let stopped = false
  const following = (async () => {
    while (!stopped) {
      seen = await view.changed(seen)
      picker = selector.prepare(seen, picker)
      picker.pick({})
      snapshots += 1
      for (const at of told.splice(0)) latencies.push(now() - at)
    }
  })()
  // What was known before is no change, and the first seconds are the compiler's.
  await wait(3_000)
  told.length = 0
  latencies.length = 0
  events = 0
  snapshots = 0
  const before = process.cpuUsage()
  await wait(seconds * 1_000)
  const { user, system } = process.cpuUsage(before)
  stopped = true
  await following
  await router.close()
  latencies.sort((a, b) => a - b)
  const at = (share: number): string =>
    (latencies[Math.floor(latencies.length * share)] ?? Number.NaN).toFixed(1)
  console.log(
    `${what}; first list in ${first.toFixed(0)} ms` +
      `\n  ${Math.round(events / seconds)} events/s in ${Math.round(snapshots / seconds)} snapshots/s: ` +
      `CPU per event ${((user + system) / events).toFixed(0)} µs, ` +
      `from change to pick ${at(0.5)} ms, p99 ${at(0.99)} ms, at most ${at(1 - 1 / latencies.length)} ms`,
  )
}
