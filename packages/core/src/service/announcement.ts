import type { Endpoint, Node } from '../registry/registry.ts'
import type { Server } from '../server/server.ts'
import type { Listener, Transport } from '../transport/transport.ts'
import type { Components, ServiceOptions } from './service.ts'

/** What a running service tells the registry: a node per definition that it handles. */
export function describeNodes(
  id: string,
  options: ServiceOptions<Components>,
  server: Server,
  listeners: ReadonlyMap<Transport, Listener>,
): Node[] {
  return [...server.definitions.values()].map((definition): Node => {
    const methods = Object.entries(definition.methods).map(([key, method]) => ({
      name: method.wireName ?? key,
      kind: method.kind,
      idempotency: method.idempotency,
    }))
    const contentTypes = new Set(
      methods.flatMap(
        ({ name }) => server.receiver.find(definition.name, name)?.contentTypes ?? [],
      ),
    )
    const endpoints = [...listeners].map(
      ([transport, { url }]): Endpoint => ({
        transport: transport.name,
        url,
        contentTypes: [...contentTypes],
      }),
    )
    return {
      schema: 1,
      id,
      service: definition.name,
      version: options.version ?? '0.0.0',
      weight: options.weight ?? 1,
      ...(options.zone === undefined ? {} : { zone: options.zone }),
      labels: { ...options.labels },
      endpoints,
      methods,
    }
  })
}
