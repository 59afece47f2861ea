import { MicroError } from '../errors/micro-error.ts'
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
      ...(method.access === undefined ? {} : { access: method.access }),
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

/** @throws `failed_precondition` for a method whose messages no codec can carry to another process. */
export function requireCodecs(server: Server): void {
  for (const definition of server.definitions.values()) {
    for (const [key, { wireName }] of Object.entries(definition.methods)) {
      const method = server.receiver.find(definition.name, wireName ?? key)
      if (method === undefined || method.contentTypes.length > 0) continue
      throw new MicroError(
        'failed_precondition',
        `no codec can carry the messages of ${definition.name}/${method.name}: add one to codecs, ` +
          'such as protobufCodec() for a service from a .proto',
      )
    }
  }
}
