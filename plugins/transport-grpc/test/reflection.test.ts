import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_any,
  file_google_protobuf_api,
} from '@bufbuild/protobuf/wkt'
import { Context, rootContext } from '@micro/core/context'
import { Metadata } from '@micro/core/metadata'
import { expect, test } from 'vitest'
import { file_micro_grpc_v1_greeter } from './gen/micro/grpc/v1/greeter_pb.ts'
import { startMicro } from './support/micro.ts'
import { dial } from './support/serve.ts'

const files = [
  file_micro_grpc_v1_greeter,
  file_google_protobuf_any,
  file_google_protobuf_api,
  ...file_google_protobuf_api.dependencies,
]
const descriptors = toBinary(
  FileDescriptorSetSchema,
  create(FileDescriptorSetSchema, { file: files.map(({ proto }) => proto) }),
)

/** A length-delimited field, written out. */
const field = (number: number, value: string | Buffer): Buffer => {
  const bytes = Buffer.from(value as string)
  return Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes])
}

/** The bytes of each field of a message. */
function fieldsOf(message: Buffer): Map<number, Buffer[]> {
  const fields = new Map<number, Buffer[]>()
  for (let at = 0; at < message.length; ) {
    const varint = (): number => {
      let value = 0
      for (let shift = 0; ; shift += 7) {
        const byte = message[at] as number
        at += 1
        value |= (byte & 0x7f) << shift
        if (byte < 0x80) return value
      }
    }
    const tag = varint()
    const number = tag >> 3
    const value = varint()
    const bytes = tag % 8 === 2 ? message.subarray(at, at + value) : Buffer.from([value])
    if (tag % 8 === 2) at += value
    fields.set(number, [...(fields.get(number) ?? []), bytes])
  }
  return fields
}

async function ask(url: string, version: string, request: Buffer): Promise<Map<number, Buffer[]>> {
  const stream = dial(url).stream(
    {
      service: `grpc.reflection.${version}.ServerReflection`,
      method: 'ServerReflectionInfo',
      kind: 'bidi_stream',
      idempotency: 'no_side_effects',
      contentType: 'application/proto',
      metadata: new Metadata(),
    },
    new Context(rootContext),
  )
  await stream.write(request)
  const { value } = await stream.next()
  await stream.end()
  expect(await stream.next()).toMatchObject({ done: true })
  const response = fieldsOf(Buffer.from(value as Uint8Array))
  expect(response.get(2)?.[0]).toEqual(request)
  return response
}

const namesOf = (response: Map<number, Buffer[]>): (string | undefined)[] =>
  (fieldsOf(response.get(4)?.[0] as Buffer).get(1) ?? []).map(
    (file) => fromBinary(FileDescriptorProtoSchema, file).name,
  )

test.each(['v1', 'v1alpha'])('%s lists the services', async (version) => {
  const { url } = await startMicro({ reflection: true })
  const response = await ask(url, version, field(7, ''))
  const list = fieldsOf(response.get(6)?.[0] as Buffer).get(1) ?? []
  expect(list.map((service) => fieldsOf(service).get(1)?.[0]?.toString())).toEqual([
    'grpc.health.v1.Health',
    'grpc.reflection.v1.ServerReflection',
    'grpc.reflection.v1alpha.ServerReflection',
    'micro.grpc.v1.GreeterService',
  ])
})

test.each([
  ['a service', 'micro.grpc.v1.GreeterService', ['micro/grpc/v1/greeter.proto']],
  ['a method', 'micro.grpc.v1.GreeterService.Chat', ['micro/grpc/v1/greeter.proto']],
  ['a message', 'micro.grpc.v1.SumRequest', ['micro/grpc/v1/greeter.proto']],
  ['a field', 'micro.grpc.v1.SumRequest.value', ['micro/grpc/v1/greeter.proto']],
  [
    'an enum of ours',
    'grpc.health.v1.HealthCheckResponse.ServingStatus',
    ['grpc/health/v1/health.proto'],
  ],
  [
    'our own service',
    'grpc.reflection.v1.ServerReflection',
    ['grpc/reflection/v1/reflection.proto'],
  ],
])('the file of %s is found by its symbol', async (_what, symbol, expected) => {
  const { url } = await startMicro({ reflection: [descriptors] })
  expect(namesOf(await ask(url, 'v1', field(4, symbol)))).toEqual(expected)
})

test('a file comes with all that it imports, once', async () => {
  const { url } = await startMicro({ reflection: [descriptors] })
  const names = namesOf(await ask(url, 'v1', field(3, 'google/protobuf/api.proto')))
  expect(names[0]).toBe('google/protobuf/api.proto')
  expect(new Set(names).size).toBe(names.length)
  expect(names).toContain('google/protobuf/any.proto')
})

test('what is not there is an error of its request, and the stream goes on', async () => {
  const { url } = await startMicro({ reflection: [descriptors] })
  for (const request of [
    field(3, 'no.proto'),
    field(4, 'no.Symbol'),
    field(5, field(1, 'no.Type')),
    field(6, 'no.Type'),
  ]) {
    const error = fieldsOf((await ask(url, 'v1', request)).get(7)?.[0] as Buffer)
    expect(error.get(1)?.[0]?.[0]).toBe(5)
  }
  const malformed = fieldsOf((await ask(url, 'v1', field(9, 'x'))).get(7)?.[0] as Buffer)
  expect(malformed.get(1)?.[0]?.[0]).toBe(3)
})

test('without the option there is none', async () => {
  const { url } = await startMicro()
  await expect(ask(url, 'v1', field(7, ''))).rejects.toMatchObject({ code: 'unimplemented' })
})
