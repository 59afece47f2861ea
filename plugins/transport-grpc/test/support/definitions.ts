import { create, type DescMethod, fromBinary, type Message, toBinary } from '@bufbuild/protobuf'
import { GreeterService } from '../gen/micro/grpc/v1/greeter_pb.ts'

export const serviceName: string = GreeterService.typeName

/** A method as grpc-js and nice-grpc want it described. */
export interface Definition {
  readonly path: string
  readonly requestStream: boolean
  readonly responseStream: boolean
  readonly requestSerialize: (value: Record<string, unknown>) => Buffer
  readonly requestDeserialize: (bytes: Uint8Array) => Message
  readonly responseSerialize: (value: Record<string, unknown>) => Buffer
  readonly responseDeserialize: (bytes: Uint8Array) => Message
  readonly options: object
}

/** All methods of the greeter, by their names in lower camel case. */
export const definitions: Record<string, Definition> = Object.fromEntries(
  GreeterService.methods.map((method) => [method.localName, define(method)]),
)

function define({ name, methodKind, input, output }: DescMethod): Definition {
  return {
    path: `/${serviceName}/${name}`,
    requestStream: methodKind === 'client_streaming' || methodKind === 'bidi_streaming',
    responseStream: methodKind === 'server_streaming' || methodKind === 'bidi_streaming',
    requestSerialize: (value) => Buffer.from(toBinary(input, create(input, value))),
    requestDeserialize: (bytes) => fromBinary(input, bytes),
    responseSerialize: (value) => Buffer.from(toBinary(output, create(output, value))),
    responseDeserialize: (bytes) => fromBinary(output, bytes),
    options: {},
  }
}
