import { create, toBinary } from '@bufbuild/protobuf'
import { NullValue, type Struct, StructSchema, ValueSchema } from '@bufbuild/protobuf/wkt'
import { codecConformance } from '@micro/conformance/codec'
import { fromProto, protobufCodec } from '@micro/plugin-codec-protobuf'
import { GreeterService, SayHelloRequestSchema } from './gen/micro/test/v1/greeter_pb.ts'

const Greeter = fromProto(GreeterService)
const type = { name: 'input of x', ...Greeter.methods.sayHello.input }
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const message = (init: Parameters<typeof create<typeof SayHelloRequestSchema>>[1]) =>
  create(SayHelloRequestSchema, init)

/** Structs within structs, each under this key. */
function nest(depth: number, key = 'a'): Struct {
  let value = create(ValueSchema, { kind: { case: 'nullValue', value: NullValue.NULL_VALUE } })
  let struct = create(StructSchema)
  for (let at = 0; at < depth; at++) {
    struct = create(StructSchema, { fields: Object.fromEntries([[key, value]]) })
    value = create(ValueSchema, { kind: { case: 'structValue', value: struct } })
  }
  return struct
}

codecConformance({
  name: 'protobuf',
  create: () => protobufCodec(),
  foreign: [{ name: 'input of y' }, { name: 'input of z', descriptor: {} }],
  samples: [
    {
      type,
      values: [
        message({}),
        message({ name: 'ü 世界 🙂 \u0000' }),
        message({ name: 'x'.repeat(100_000), big: 2n ** 63n - 1n, data: new Uint8Array(1_000) }),
      ],
      refused: [{ data: 'text' }, 'text', 1, true, [], () => 1],
      malformed: {
        'application/proto': [
          Uint8Array.of(0x0a, 0x7f, 0x41),
          Uint8Array.of(0xff),
          Uint8Array.of(0x0a, 0x01, 0xff),
          toBinary(SayHelloRequestSchema, message({ name: 'Ada' })).slice(0, -1),
        ],
        'application/json': ['{', '[]', '1', '{"name":1}', '{"data":"%"}'].map(utf8),
      },
    },
  ],
  hostile: [
    {
      type: { name: 'a struct', descriptor: StructSchema },
      contentType: 'application/json',
      nested: (depth) => utf8(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`),
      keyed: (key) => utf8(`{"a":{"${key}":{"polluted":true}},"${key}":{"polluted":true}}`),
      deep: nest,
    },
    {
      type: { name: 'a struct', descriptor: StructSchema },
      contentType: 'application/proto',
      keyed: (key) => toBinary(StructSchema, nest(2, key)),
      deep: nest,
      holding: (text) => nest(1, text),
    },
    { type, contentType: 'application/json', holding: (name) => message({ name }) },
    {
      type,
      contentType: 'application/proto',
      holding: (name) => message({ name }),
      // Groups within groups, of a field that the message does not have.
      nested: (depth) =>
        Uint8Array.from({ length: 2 * depth }, (_, at) => (at < depth ? 0x7b : 0x7c)),
    },
  ],
})
