import type { Health } from '../component/component.ts'
import { createLifecycle } from '../component/lifecycle.ts'
import { abortable } from '../component/promises.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Registry } from '../registry/registry.ts'
import type { Router, RouteView } from './router.ts'
import { createServiceTable, type ServiceTable } from './service-table.ts'

export interface RegistryRouterOptions {
  /** Whatever tells of a service's nodes as a registry does. */
  readonly registry: Pick<Registry, 'name' | 'watch'>
}

/**
 * Routes from a registry: one watch per service for all its views, the last known good while the
 * registry is away. The registry stays its owner's: closing the router does not close it.
 */
export function registryRouter(options: RegistryRouterOptions): Router {
  const { registry } = options
  const tables = new Map<string, ServiceTable>()
  const lifecycle = createLifecycle({
    label: 'router "registry"',
    close: async () => {
      await Promise.all([...tables.values()].map((table) => table.close()))
    },
  })

  return {
    name: 'registry',
    contract: 'router/0',
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health(): Health {
      const stale = [...tables].filter(([, table]) => table.stale).map(([service]) => service)
      if (lifecycle.closed) return { status: 'down' }
      if (stale.length === 0) return { status: 'up' }
      return { status: 'degraded', detail: `last known routes in use for ${stale.join(', ')}` }
    },

    view(query) {
      if (lifecycle.closed)
        throw new MicroError('failed_precondition', 'router "registry" is closed')
      let table = tables.get(query.service)
      if (table === undefined) {
        table = createServiceTable(registry, query.service)
        tables.set(query.service, table)
      }
      const feed = table.view(query)
      const view: RouteView = {
        get current() {
          return feed.current
        },
        ready: (readyOptions) =>
          feed.current !== undefined
            ? Promise.resolve(feed.current)
            : abortable(feed.next(), readyOptions?.signal),
        changed: (seen, changedOptions) =>
          feed.current !== undefined && feed.current !== seen
            ? Promise.resolve(feed.current)
            : abortable(feed.next(), changedOptions?.signal),
      }
      feed.view ??= view
      return feed.view
    },
  }
}
