import type {
  DescMessage,
  DescMethod,
  DescService,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf'
import type { Idempotency, Method, MethodKind, ServiceDefinition } from '@micro/core/definition'
import { messageSchema } from './message-schema.ts'

interface Kinds {
  unary: 'unary'
  server_streaming: 'server_stream'
  client_streaming: 'client_stream'
  bidi_streaming: 'bidi_stream'
}

type MethodOf<M> = M extends {
  readonly methodKind: infer Kind extends keyof Kinds
  readonly input: infer Input extends DescMessage
  readonly output: infer Output extends DescMessage
}
  ? Method<
      Kinds[Kind],
      MessageInitShape<Input>,
      MessageShape<Input>,
      MessageInitShape<Output>,
      MessageShape<Output>
    >
  : never

/** The methods of a generated service, by their local names: `sayHello`. */
export type ProtoMethods<Service extends DescService> = {
  readonly [K in keyof Service['method']]: MethodOf<Service['method'][K]>
}

const kinds: Readonly<Record<DescMethod['methodKind'], MethodKind>> = {
  unary: 'unary',
  server_streaming: 'server_stream',
  client_streaming: 'client_stream',
  bidi_streaming: 'bidi_stream',
}

/** By the numbers of `google.protobuf.MethodOptions.IdempotencyLevel`. */
const idempotencies: readonly Idempotency[] = ['unknown', 'no_side_effects', 'idempotent']

/**
 * A service definition from a service that protoc-gen-es generated. It has the names of the `.proto`
 * on the wire, and its full name, `acme.v1.GreeterService`, in discovery. Callers and handlers may
 * write plain objects; what they read is always a whole message.
 */
export function fromProto<Service extends DescService>(
  service: Service,
): ServiceDefinition<ProtoMethods<Service>> {
  const methods: Record<string, Method> = {}
  for (const method of service.methods) {
    methods[method.localName] = {
      kind: kinds[method.methodKind],
      wireName: method.name,
      idempotency: idempotencies[method.idempotency] ?? 'unknown',
      input: { descriptor: method.input, schema: messageSchema(method.input) },
      output: { descriptor: method.output, schema: messageSchema(method.output) },
    }
  }
  // Built from the same descriptor that types them.
  return { name: service.typeName, methods: methods as ProtoMethods<Service> }
}
