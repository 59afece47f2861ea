import { MicroError } from '@micro/core/errors'
import type { TlsSource } from '@micro/core/identity'

export interface CorsOptions {
  /** Origins that may call from a browser: `https://app.example`; `'*'` for any. */
  readonly origins: readonly string[] | '*'
  /** Seconds a browser may remember the answer. @default 7200 */
  readonly maxAge?: number
}

/** A plain HTTP route to a unary method, for callers that do not speak Connect. */
export interface PlainRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** `/users/{id}`: each name in braces is a field of the input, as a string. */
  readonly path: string
  /** Names of service and method on the wire. */
  readonly service: string
  readonly call: string
}

export interface HttpTransportOptions {
  /** Address to listen on. @default '127.0.0.1' */
  readonly host?: string
  /** Port to listen on; 0 for any free one. @default 0 */
  readonly port?: number
  /** URL that others reach this server by. @default the address listened on */
  readonly advertise?: string
  /**
   * What clients speak. `auto`: HTTP/1.1 for unary calls, HTTP/2 for streams. @default 'auto'
   */
  readonly protocol?: 'auto' | 'http1' | 'http2'
  /** Bytes of one message, uncompressed, in either direction. @default 4194304 */
  readonly maxMessageSize?: number
  /** Bytes of all headers of a request or response. @default 16384 */
  readonly maxHeaderSize?: number
  /** Sockets that a server accepts; more are closed at once. @default 10000 */
  readonly maxConnections?: number
  /** Streams at once on one HTTP/2 connection. @default 1000 */
  readonly maxStreams?: number
  /** Sockets that a client opens to one node over HTTP/1.1; further calls wait. @default 128 */
  readonly connections?: number
  /** Milliseconds a client waits for a connection. @default 2000 */
  readonly connectTimeout?: number
  /** Milliseconds a server waits for all of a request's headers. @default 10000 */
  readonly headersTimeout?: number
  /** Milliseconds a server waits for all of a unary request. @default 60000 */
  readonly requestTimeout?: number
  /** Milliseconds a server keeps an idle socket; longer than clients do. @default 75000 */
  readonly keepAliveTimeout?: number
  /** Bytes from which messages are sent gzipped; `false` for never. @default false */
  readonly compressFrom?: number | false
  /** Send unary calls without side effects by GET, so that caches can answer. @default false */
  readonly useGet?: boolean
  /** Answer `/livez` and `/readyz`. @default true */
  readonly health?: boolean
  /**
   * Plain routes. The input is the JSON body's fields, and over them the query's (strings; a list
   * where a name comes twice) and the path's. @default none
   */
  readonly routes?: readonly PlainRoute[]
  /** Let browsers of these origins call. @default none */
  readonly cors?: CorsOptions
  /** Serve and dial by TLS. @default cleartext */
  readonly tls?: TlsSource
}

/** The options with their defaults in place. */
export type Settings = Required<Omit<HttpTransportOptions, 'advertise' | 'cors' | 'tls'>> &
  Pick<HttpTransportOptions, 'advertise' | 'cors' | 'tls'>

const defaults: Settings = {
  host: '127.0.0.1',
  port: 0,
  advertise: undefined as unknown as string,
  protocol: 'auto',
  maxMessageSize: 4 * 1024 * 1024,
  maxHeaderSize: 16 * 1024,
  maxConnections: 10_000,
  maxStreams: 1_000,
  connections: 128,
  connectTimeout: 2_000,
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 75_000,
  compressFrom: false,
  useGet: false,
  health: true,
  routes: [],
  cors: undefined as unknown as CorsOptions,
  tls: undefined as unknown as TlsSource,
}

/** @throws `invalid_argument`, naming the option and what it takes. */
export function settle(options: HttpTransportOptions): Settings {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(defaults, name)) {
      throw invalid(name, `unknown option; known are ${Object.keys(defaults).join(', ')}`)
    }
  }
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  )
  const settings: Settings = { ...defaults, ...given }
  whole('port', settings.port, 0, 65_535)
  whole('maxMessageSize', settings.maxMessageSize, 1, 2 ** 31 - 1)
  whole('maxHeaderSize', settings.maxHeaderSize, 1_024, 2 ** 24)
  whole('maxConnections', settings.maxConnections, 1, 1_000_000)
  whole('maxStreams', settings.maxStreams, 1, 2 ** 31 - 1)
  whole('connections', settings.connections, 1, 65_535)
  whole('connectTimeout', settings.connectTimeout, 1, 2 ** 31 - 1)
  whole('headersTimeout', settings.headersTimeout, 1, 2 ** 31 - 1)
  whole('requestTimeout', settings.requestTimeout, 1, 2 ** 31 - 1)
  whole('keepAliveTimeout', settings.keepAliveTimeout, 1, 2 ** 31 - 1)
  if (settings.compressFrom !== false) whole('compressFrom', settings.compressFrom, 0, 2 ** 31 - 1)
  if (!['auto', 'http1', 'http2'].includes(settings.protocol)) {
    throw invalid('protocol', `${settings.protocol}; give 'auto', 'http1' or 'http2'`)
  }
  if (settings.advertise !== undefined && !URL.canParse(settings.advertise)) {
    throw invalid('advertise', `${settings.advertise}; give a URL such as http://10.0.0.7:8080`)
  }
  return settings
}

function whole(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw invalid(name, `${value}; give a whole number from ${least} to ${most}`)
}

function invalid(name: string, why: string): MicroError {
  return new MicroError('invalid_argument', `httpTransport option ${name}: ${why}`)
}
