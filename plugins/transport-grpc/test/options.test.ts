import { type GrpcTransportOptions, grpcTransport } from '@micro/plugin-transport-grpc'
import { expect, test } from 'vitest'

test.each([
  [{ port: 70_000 }, 'port'],
  [{ maxMessageSize: 0 }, 'maxMessageSize'],
  [{ maxHeaderSize: 1 }, 'maxHeaderSize'],
  [{ maxStreams: 0 }, 'maxStreams'],
  [{ maxConnections: 0 }, 'maxConnections'],
  [{ maxPendingBytes: 0 }, 'maxPendingBytes'],
  [{ maxSessionMemory: 0.5 }, 'maxSessionMemory'],
  [{ streamWindow: 1 }, 'streamWindow'],
  [{ connectTimeout: -1 }, 'connectTimeout'],
  [{ requestTimeout: Number.NaN }, 'requestTimeout'],
  [{ pingInterval: 0 }, 'pingInterval'],
  [{ pingTimeout: 2 ** 31 }, 'pingTimeout'],
  [{ compressFrom: -1 }, 'compressFrom'],
  [{ dialect: 'go' }, 'dialect'],
  [{ health: 'yes' }, 'health'],
  [{ reflection: [Buffer.from('no descriptors')] }, 'reflection'],
  [{ reflection: 'all' }, 'reflection'],
  [{ advertise: 'nowhere' }, 'advertise'],
  [{ advertise: 'http://127.0.0.1:1' }, 'advertise'],
  [{ 'grpc.keepalive_time_ms': 1_000 }, 'grpc.keepalive_time_ms'],
  [{ keepalive: true }, 'keepalive'],
])('refuses the options %o, naming the one', (options, name) => {
  const make = () => grpcTransport(options as unknown as GrpcTransportOptions)
  expect(make).toThrow(`option ${name}:`)
  expect(make).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
})

test('options that are left undefined have their defaults', () => {
  expect(() => grpcTransport({ port: undefined } as unknown as GrpcTransportOptions)).not.toThrow()
})

test.each(['http://127.0.0.1:1', 'grpc://127.0.0.1', 'nowhere'])('dials no "%s"', (url) => {
  expect(() => grpcTransport().dial({ transport: 'grpc', url }, { node: 'n-1' })).toThrow(
    /URL of node n-1/,
  )
})
