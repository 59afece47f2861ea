import type { ListOptions, Node, Registry, RegistryEvent } from '@micro/core/registry'
import type { Harness } from '../kit/harness.ts'

/** A watch, and what its events so far add up to. */
export interface Following {
  /** Every event taken, the first one first. */
  readonly events: readonly RegistryEvent[]
  /** What the events add up to, by service and id. */
  readonly nodes: ReadonlyMap<string, Node>
  /** Takes events until `done`; fails if the watch ends before that. */
  until(done: () => boolean): Promise<void>
  /** Takes one event. */
  next(): Promise<RegistryEvent>
  has(node: Pick<Node, 'id' | 'service'>): boolean
  get(node: Pick<Node, 'id' | 'service'>): Node | undefined
}

/** Watches until the case ends. The first event has not been taken yet. */
export async function follow(
  harness: Harness<Registry>,
  registry: Registry,
  options?: ListOptions,
): Promise<Following> {
  const watcher = await registry.watch(options)
  harness.defer(() => watcher[Symbol.asyncDispose]())
  const events: RegistryEvent[] = []
  const nodes = new Map<string, Node>()
  const next = async (): Promise<RegistryEvent> => {
    const step = await watcher.next()
    if (step.done === true) throw new Error('the watch has ended')
    events.push(step.value)
    apply(step.value, nodes)
    return step.value
  }
  return {
    events,
    nodes,
    next,
    async until(done) {
      while (!done()) await next()
    },
    has: (node) => nodes.has(keyOf(node)),
    get: (node) => nodes.get(keyOf(node)),
  }
}

function apply(event: RegistryEvent, nodes: Map<string, Node>): void {
  if (event.type === 'put') {
    nodes.set(keyOf(event.node), event.node)
  } else if (event.type === 'delete') {
    nodes.delete(keyOf(event))
  } else {
    nodes.clear()
    for (const node of event.nodes) nodes.set(keyOf(node), node)
  }
}

function keyOf(node: Pick<Node, 'id' | 'service'>): string {
  return `${node.service}/${node.id}`
}
