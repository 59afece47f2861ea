import { create, toBinary } from '@bufbuild/protobuf'
import { StructSchema } from '@bufbuild/protobuf/wkt'
import { createService, type Handlers, memoryNetwork } from '@micro/core'
import { createCodecSet, jsonCodec } from '@micro/core/codec'
import { memoryLogger } from '@micro/core/logger'
import { fromProto, protobufCodec } from '@micro/plugin-codec-protobuf'
import { httpTransport } from '@micro/plugin-transport-http'
import { expect, test } from 'vitest'
import { GreeterService, SayHelloRequestSchema } from './gen/micro/test/v1/greeter_pb.ts'

const Greeter = fromProto(GreeterService)
const type = { name: 'input of x', ...Greeter.methods.sayHello.input }
const codec = protobufCodec()
const binary = codec.bind(type, 'application/proto')
const json = codec.bind(type, 'application/json')
if (binary === undefined || json === undefined) throw new Error('both bind a message')
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

test('a definition has the names and options of its .proto', () => {
  expect(Greeter.name).toBe('micro.test.v1.GreeterService')
  expect(Greeter.methods.sayHello).toMatchObject({
    kind: 'unary',
    wireName: 'SayHello',
    idempotency: 'no_side_effects',
  })
  expect(Greeter.methods.rename.idempotency).toBe('idempotent')
  expect(Greeter.methods.fail.idempotency).toBe('unknown')
  expect([
    Greeter.methods.countdown.kind,
    Greeter.methods.sum.kind,
    Greeter.methods.chat.kind,
  ]).toEqual(['server_stream', 'client_stream', 'bidi_stream'])
})

test('binary is the bytes of protobuf, JSON its mapping', () => {
  const value = { name: 'Ada', big: 2n ** 60n, data: Uint8Array.of(1, 2) }
  const message = create(SayHelloRequestSchema, value)
  expect(binary.encode(value)).toEqual(toBinary(SayHelloRequestSchema, message))
  expect(binary.decode(binary.encode(message))).toEqual(message)
  expect(JSON.parse(new TextDecoder().decode(json.encode(value)))).toEqual({
    name: 'Ada',
    big: '1152921504606846976',
    data: 'AQI=',
  })
  expect(json.decode(json.encode(value))).toEqual(message)
  expect(json.decode(new Uint8Array())).toEqual(create(SayHelloRequestSchema))
})

test('text and bytes that look like half of a surrogate pair are sent', () => {
  for (const value of [{ name: '\ufffd \\ud800 🙂' }, { data: Uint8Array.of(0xef, 0xbf, 0xbd) }]) {
    const message = create(SayHelloRequestSchema, value)
    expect(binary.decode(binary.encode(value))).toEqual(message)
    expect(json.decode(json.encode(value))).toEqual(message)
  }
})

test('the place of half of a surrogate pair is named', () => {
  const struct = codec.bind({ name: 'a struct', descriptor: StructSchema }, 'application/proto')
  const fields = { a: { kind: { case: 'stringValue', value: '\ud800' } } }
  expect(() => struct?.encode({ fields })).toThrow('the text fields.a.kind.value has half')
})

test.each([
  ['truncated binary', () => binary.decode(Uint8Array.of(0x0a, 0x7f, 0x41))],
  ['a field of the wrong type', () => json.decode(utf8('{"name":1}'))],
  ['malformed JSON', () => json.decode(utf8('{"name"'))],
  ['invalid UTF-8', () => json.decode(Uint8Array.of(0x22, 0xff))],
  ['a value of the wrong type', () => binary.encode({ big: 'seven' })],
  ['what is no object', () => binary.encode('Ada')],
  ['half of a surrogate pair', () => binary.encode({ name: '\ud800' })],
  ['half of a surrogate pair in JSON', () => json.encode({ name: 'a\udc00' })],
])('%s is refused, naming the message', (_what, run) => {
  expect(run).toThrow(
    expect.objectContaining({
      code: 'invalid_argument',
      detail: expect.stringContaining('input of x'),
    }),
  )
})

test('unknown JSON fields are passed over, unless asked to be strict', () => {
  const extra = utf8('{"name":"Ada","__proto__":{"x":1},"unknown":1}')
  expect(json.decode(extra)).toEqual(create(SayHelloRequestSchema, { name: 'Ada' }))
  const strict = protobufCodec({ strictJson: true }).bind(type, 'application/json')
  expect(() => strict?.decode(extra)).toThrow('unknown')
})

test('it leaves other types to other codecs, and takes JSON from the plain codec for its own', () => {
  const plain = { name: 'input of y' }
  expect(codec.bind(plain, 'application/json')).toBeUndefined()
  const set = createCodecSet([codec, jsonCodec()])
  expect(set.contentTypesFor([plain])).toEqual(['application/json'])
  expect(set.contentTypesFor([type])).toEqual(['application/proto', 'application/json'])
})

test('options are checked by name', () => {
  expect(() => protobufCodec({ maxDepth: 0 })).toThrow('option maxDepth')
  expect(() => protobufCodec({ strict: true } as never)).toThrow('option strict')
})

test('a service that listens without the codec is refused at its start, with the fix', async () => {
  const handlers = Object.fromEntries(Object.keys(Greeter.methods).map((key) => [key, () => ({})]))
  const service = createService({
    name: 'test',
    logger: memoryLogger(),
    transports: [httpTransport()],
    shutdown: { signals: false },
  }).handle(Greeter, handlers as never)
  await expect(service.start()).rejects.toMatchObject({
    code: 'failed_precondition',
    detail: expect.stringContaining('protobufCodec()'),
  })
})

test('in process, without any codec, handlers and callers see whole messages', async () => {
  const handlers: Handlers<typeof Greeter.methods> = {
    sayHello: ({ name, big }) => ({ text: `${name} ${big}` }),
    rename: () => ({}),
    fail: () => ({}),
    hang: () => ({}),
    async *countdown() {},
    sum: () => ({}),
    async *chat() {},
  }
  const service = createService({
    name: 'test',
    network: memoryNetwork(),
    logger: memoryLogger(),
    shutdown: { signals: false },
  })
  await using running = service.handle(Greeter, handlers)
  await running.start()
  const answer = await running.client(Greeter).sayHello({ name: 'Ada' })
  expect(answer.text).toBe('Ada 0')
  expect(answer.big).toBe(0n)
  expect(answer.data).toEqual(new Uint8Array())
})
