import { createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { Client, credentials } from '@grpc/grpc-js'
import { createChannel, createClient as createNice } from 'nice-grpc'
import { EchoService } from './gen/micro/bench/v1/echo_pb.ts'
import type { Payload } from './payload.ts'

const json = {
  write: (value: unknown): Buffer => Buffer.from(JSON.stringify(value)),
  read: (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString()),
}

/** As grpc-js and nice-grpc want a method described, with JSON for its messages. */
export function methodOf(name: string, streams: boolean): Record<string, unknown> {
  return {
    path: `/remote/${name}`,
    requestStream: false,
    responseStream: streams,
    requestSerialize: json.write,
    requestDeserialize: json.read,
    responseSerialize: json.write,
    responseDeserialize: json.read,
    options: {},
  }
}

/** A peer's client: one call, and the end. */
export interface GrpcPeer {
  readonly name: string
  readonly call: (message: Payload) => Promise<unknown>
  /** Reads a stream of `count` messages to its end, where there is one to compare. */
  readonly read?: (count: number, size: number) => Promise<void>
  readonly close: () => unknown
}

export function bareClient(url: string): GrpcPeer {
  const client = new Client(new URL(url).host, credentials.createInsecure())
  return {
    name: '@grpc/grpc-js',
    call: (message) =>
      new Promise((resolve, reject) => {
        const done = (error: Error | null, value?: unknown): void =>
          error === null ? resolve(value) : reject(error)
        client.makeUnaryRequest('/remote/echo', json.write, json.read, message, done)
      }),
    async read(count, size) {
      const messages = client.makeServerStreamRequest('/remote/flow', json.write, json.read, {
        count,
        size,
      })
      let read = 0
      for await (const _message of messages) read += 1
      if (read !== count) throw new Error(`${read} messages of ${count}`)
    },
    close: () => client.close(),
  }
}

export function niceClient(url: string): GrpcPeer {
  const channel = createChannel(new URL(url).host)
  // Its types follow from generated code, which there is none of here.
  const client = createNice({ echo: methodOf('echo', false) } as never, channel) as unknown as {
    echo(message: Payload): Promise<unknown>
  }
  return {
    name: 'nice-grpc',
    call: (message) => client.echo(message),
    close: () => channel.close(),
  }
}

export function connectClient(url: string): GrpcPeer {
  const baseUrl = url.replace('grpc:', 'http:')
  const client = createClient(EchoService, createGrpcTransport({ baseUrl, useBinaryFormat: false }))
  return { name: 'connect-node', call: (message) => client.echo(message), close: () => undefined }
}
