import { sleep } from '@micro/core/component'
import type { Node, Registry } from '@micro/core/registry'
import { expect } from 'vitest'

/** A node with few fields set, and those of `over`. */
export function nodeOf(id: string, over: Partial<Node> = {}): Node {
  return {
    schema: 1,
    id,
    service: 'orders',
    version: '1.0.0',
    weight: 1,
    labels: {},
    endpoints: [
      { transport: 'http', url: 'http://10.0.0.7:8080', contentTypes: ['application/json'] },
    ],
    ...over,
  }
}

/** Ids in order: a registry may list its nodes in any. */
export function idsOf(nodes: Iterable<Node>): string[] {
  return Array.from(nodes, (node) => node.id).sort()
}

export async function listedIds(registry: Registry, service?: string): Promise<string[]> {
  return idsOf(await registry.list({ service }))
}

/** How long news may take to reach another instance: backends that gossip need a while. */
const patience = 10_000

/**
 * Waits until `registry` lists `expected`, in any order. The contract promises that instances see
 * each other's nodes, not that they do so at once.
 */
export async function lists(
  registry: Registry,
  expected: readonly Node[],
  service?: string,
): Promise<void> {
  const latest = Date.now() + patience
  for (;;) {
    const nodes = await registry.list({ service })
    try {
      expect(sorted(nodes)).toEqual(sorted(expected))
      return
    } catch (error) {
      if (Date.now() > latest) throw error
    }
    await sleep(20, { keepAlive: true })
  }
}

function sorted(nodes: readonly Node[]): Node[] {
  const keyOf = ({ service, id }: Node): string => `${service}/${id}`
  return nodes.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}
