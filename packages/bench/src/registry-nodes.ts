import { setTimeout as wait } from 'node:timers/promises'
import type { Node, Registry } from '@micro/core/registry'
import { inFlight } from './measure.ts'

export const service = 'fleet'
const ttl = 3_600_000

/** Milliseconds since 1970, with fractions, in all processes of this machine. */
export function now(): number {
  return performance.timeOrigin + performance.now()
}

/** A node that says when it was made. */
function nodeOf(at: number): Node {
  return {
    schema: 1,
    id: `node-${at}`,
    service,
    version: '1.0.0',
    weight: 1,
    zone: 'a',
    labels: { at: String(now()) },
    endpoints: [
      {
        transport: 'http',
        url: `http://10.0.${at % 250}.7:80`,
        contentTypes: ['application/json'],
      },
    ],
  }
}

export async function fill(registry: Registry, nodes: number): Promise<void> {
  let at = 0
  await inFlight(nodes, 64, () => registry.register(nodeOf(at++), { ttl }))
}

/** Replaces one in a hundred each second, the oldest first, at even distances. */
export async function churn(
  registry: Registry,
  nodes: number,
  signal?: AbortSignal,
): Promise<void> {
  const began = performance.now()
  const pending = new Set<Promise<unknown>>()
  for (let at = 0; signal?.aborted !== true; at++) {
    await wait(Math.max(0, began + (at * 100_000) / nodes - performance.now()))
    const work = Promise.all([
      registry.deregister({ service, id: `node-${at}` }),
      registry.register(nodeOf(nodes + at), { ttl }),
    ])
    pending.add(work)
    void work.finally(() => pending.delete(work))
  }
  await Promise.all(pending)
}
