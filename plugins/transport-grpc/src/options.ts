import { MicroError } from '@micro/core/errors'
import type { TlsSource } from '@micro/core/identity'
import type { Dialect } from './errors.ts'
import { readDescriptors } from './server/descriptors.ts'

export interface GrpcTransportOptions {
  /** Address to listen on. @default '127.0.0.1' */
  readonly host?: string
  /** Port to listen on; 0 for any free one. @default 0 */
  readonly port?: number
  /** URL that others reach this server by, as `grpc://10.0.0.7:50051`. @default the address listened on */
  readonly advertise?: string
  /** Serve and dial by TLS; a peer that speaks cleartext is refused. @default cleartext */
  readonly tls?: TlsSource
  /** Bytes of one message, uncompressed, in either direction. @default 4194304 */
  readonly maxMessageSize?: number
  /** Bytes of all headers of a request. @default 16384 */
  readonly maxHeaderSize?: number
  /** Calls at once on one connection; a client's further ones wait. @default 1000 */
  readonly maxStreams?: number
  /** Sockets that a server accepts; more are closed at once. @default 10000 */
  readonly maxConnections?: number
  /**
   * Bytes of half-received unary requests that a server holds for one connection; a call above it is
   * refused with `resource_exhausted`. @default 67108864
   */
  readonly maxPendingBytes?: number
  /**
   * Megabytes that Node may hold for one HTTP/2 connection, on both sides. Messages on their way count:
   * above it, calls fail with `resource_exhausted`. @default 1024
   */
  readonly maxSessionMemory?: number
  /** Bytes on their way to a reader of one stream, before its writer is held back. @default 1048576 */
  readonly streamWindow?: number
  /** Milliseconds a client waits for a connection, and a server for a TLS handshake. @default 2000 */
  readonly connectTimeout?: number
  /** Milliseconds a server waits for all of a unary request. @default 60000 */
  readonly requestTimeout?: number
  /** Milliseconds of silence after which the peer is asked for a sign of life. @default 20000 */
  readonly pingInterval?: number
  /** Milliseconds it has for that. @default 10000 */
  readonly pingTimeout?: number
  /** Bytes from which messages are sent gzipped; `false` for never. @default false */
  readonly compressFrom?: number | false
  /** Serve `grpc.health.v1`, fed by the service's readiness. @default true */
  readonly health?: boolean
  /**
   * Serve `grpc.reflection`: `true` lists the services; encoded `FileDescriptorSet`s, as `buf build`
   * writes them, describe them too. @default false
   */
  readonly reflection?: boolean | readonly Uint8Array[]
  /**
   * `micro-go`: as Micro for Go does, tells failures as JSON in the status message, and looks at the
   * last dotted part of a service's name only. @default 'grpc'
   */
  readonly dialect?: Dialect
}

/** The options with their defaults in place. */
export type Settings = Required<Omit<GrpcTransportOptions, 'advertise' | 'tls'>> &
  Pick<GrpcTransportOptions, 'advertise' | 'tls'>

const defaults = {
  host: '127.0.0.1',
  port: 0,
  maxMessageSize: 4 * 1024 * 1024,
  maxHeaderSize: 16 * 1024,
  maxStreams: 1_000,
  maxConnections: 10_000,
  maxPendingBytes: 64 * 1024 * 1024,
  maxSessionMemory: 1_024,
  streamWindow: 1024 * 1024,
  connectTimeout: 2_000,
  requestTimeout: 60_000,
  pingInterval: 20_000,
  pingTimeout: 10_000,
  compressFrom: false,
  health: true,
  reflection: false,
  dialect: 'grpc',
} satisfies Settings

const known: readonly string[] = [...Object.keys(defaults), 'advertise', 'tls']
const most = 2 ** 31 - 1

/** @throws `invalid_argument`, naming the option and what it takes. */
export function settle(options: GrpcTransportOptions): Settings {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw invalid(name, `unknown option; known are ${known.join(', ')}`)
  }
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  )
  const settings: Settings = { ...defaults, ...given }
  whole('port', settings.port, 0, 65_535)
  whole('maxMessageSize', settings.maxMessageSize, 1, most)
  whole('maxHeaderSize', settings.maxHeaderSize, 1_024, 2 ** 24)
  whole('maxStreams', settings.maxStreams, 1, most)
  whole('maxConnections', settings.maxConnections, 1, 1_000_000)
  whole('maxPendingBytes', settings.maxPendingBytes, 1, Number.MAX_SAFE_INTEGER)
  whole('maxSessionMemory', settings.maxSessionMemory, 1, 1_000_000)
  whole('streamWindow', settings.streamWindow, 65_535, most)
  for (const name of ['connectTimeout', 'requestTimeout', 'pingInterval', 'pingTimeout'] as const) {
    whole(name, settings[name], 1, most)
  }
  if (settings.compressFrom !== false) whole('compressFrom', settings.compressFrom, 0, most)
  oneOf('dialect', settings.dialect, ['grpc', 'micro-go'])
  oneOf('health', settings.health, [true, false])
  if (typeof settings.reflection !== 'boolean') requireDescriptors(settings.reflection)
  if (settings.advertise !== undefined) parseAddress(settings.advertise, 'advertise')
  return settings
}

/** Where a `grpc:` or `grpcs:` URL leads. */
export interface Address {
  readonly host: string
  readonly port: number
  readonly secure: boolean
}

/** @throws `invalid_argument` for anything else; `what` names where the URL is from. */
export function parseAddress(text: string, what: string): Address {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const secure = url?.protocol === 'grpcs:'
  if (url !== undefined && (secure || url.protocol === 'grpc:') && url.hostname && url.port) {
    return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port), secure }
  }
  throw invalid(what, `"${text}"; give a URL such as grpc://10.0.0.7:50051, or grpcs: for TLS`)
}

function requireDescriptors(sets: readonly Uint8Array[]): void {
  if (Array.isArray(sets) && sets.every((set) => set instanceof Uint8Array)) {
    if (readDescriptors(sets) !== undefined) return
  }
  throw invalid('reflection', 'give true, false, or encoded FileDescriptorSets in a list')
}

function whole(name: string, value: number, least: number, greatest: number): void {
  if (Number.isInteger(value) && value >= least && value <= greatest) return
  throw invalid(name, `${value}; give a whole number from ${least} to ${greatest}`)
}

function oneOf(name: string, value: unknown, choices: readonly unknown[]): void {
  if (choices.includes(value)) return
  throw invalid(name, `${String(value)}; give ${choices.map(String).join(' or ')}`)
}

function invalid(name: string, why: string): MicroError {
  return new MicroError('invalid_argument', `grpcTransport option ${name}: ${why}`)
}
