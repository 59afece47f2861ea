import type { RouterSource } from '@micro/conformance/router'
import { MicroError } from '@micro/core/errors'
import { memoryRegistry, type Node, type Registry } from '@micro/core/registry'

/** Memory registries by scope, as the source of a router, that can be away. */
export interface RoutedRegistries extends Required<Pick<RouterSource, 'place' | 'interrupt'>> {
  /** The registry of a scope, as routers reach it. */
  registryOf(scope: string): Registry
}

interface Place {
  readonly behind: Registry
  readonly seen: Registry
  readonly ends: Set<() => PromiseLike<void>>
  away: boolean
}

export function routedRegistries(): RoutedRegistries {
  const places = new Map<string, Place>()
  const placeOf = (scope: string): Place => {
    const place = places.get(scope) ?? newPlace()
    places.set(scope, place)
    return place
  }
  return {
    registryOf: (scope) => placeOf(scope).seen,
    place: (scope, nodes) => replace(placeOf(scope).behind, nodes),
    async interrupt(scope, away) {
      const place = placeOf(scope)
      place.away = away
      if (away) await Promise.all([...place.ends].map((end) => end()))
    },
  }
}

async function replace(registry: Registry, nodes: readonly Node[]): Promise<void> {
  const wanted = new Set(nodes.map((node) => node.id))
  for (const node of await registry.list()) {
    if (!wanted.has(node.id)) await registry.deregister(node)
  }
  for (const node of nodes) await registry.register(node, { ttl: 600_000 })
}

function newPlace(): Place {
  const behind = memoryRegistry()
  const ends = new Set<() => PromiseLike<void>>()
  const place: Place = {
    behind,
    ends,
    away: false,
    seen: {
      ...behind,
      async watch(options) {
        if (place.away) throw new MicroError('unavailable', 'the registry is away')
        const watcher = await behind.watch(options)
        ends.add(() => watcher[Symbol.asyncDispose]())
        return watcher
      },
    },
  }
  return place
}
