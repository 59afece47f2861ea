import { MicroError } from '@micro/core/errors'
import type { TlsSource } from '@micro/core/identity'

export interface TcpTransportOptions {
  /** Address to listen on. @default '127.0.0.1' */
  readonly host?: string
  /** Port to listen on; 0 for any free one. @default 0 */
  readonly port?: number
  /** Path of a Unix socket to listen on, instead of host and port. @default none */
  readonly path?: string
  /** URL that others reach this server by, as `tcp://10.0.0.7:7000`. @default the address listened on */
  readonly advertise?: string
  /** Serve and dial by TLS; a peer that speaks cleartext is refused. @default cleartext */
  readonly tls?: TlsSource
  /** Bytes of one message in either direction. @default 4194304 */
  readonly maxMessageSize?: number
  /** Bytes of the metadata of one call in either direction. @default 16384 */
  readonly maxHeaderSize?: number
  /** Calls at once on one connection; further ones wait at the client. @default 10000 */
  readonly maxCalls?: number
  /**
   * Bytes of requests that a server holds for one connection until they are answered; further ones
   * are refused with `resource_exhausted`. @default 67108864
   */
  readonly maxPendingBytes?: number
  /**
   * Bytes that a side keeps for a peer that takes them slowly. Above it, further calls of a client
   * wait, and a server reads nothing more from that peer. @default 16777216
   */
  readonly maxBufferedBytes?: number
  /** Bytes of a stream's messages that may be on their way to a reader. @default 524288 */
  readonly streamCredit?: number
  /** Sockets that a server accepts; more are closed at once. @default 10000 */
  readonly maxConnections?: number
  /** Milliseconds for connection, TLS and handshake together, at either side. @default 2000 */
  readonly connectTimeout?: number
  /** Milliseconds of silence after which the peer is asked for a sign of life. @default 20000 */
  readonly pingInterval?: number
  /** Milliseconds it has for that. @default 10000 */
  readonly pingTimeout?: number
}

/** The options with their defaults in place. */
export type Settings = Required<Omit<TcpTransportOptions, 'path' | 'advertise' | 'tls'>> &
  Pick<TcpTransportOptions, 'path' | 'advertise' | 'tls'>

const defaults = {
  host: '127.0.0.1',
  port: 0,
  maxMessageSize: 4 * 1024 * 1024,
  maxHeaderSize: 16 * 1024,
  maxCalls: 10_000,
  maxPendingBytes: 64 * 1024 * 1024,
  maxBufferedBytes: 16 * 1024 * 1024,
  streamCredit: 512 * 1024,
  maxConnections: 10_000,
  connectTimeout: 2_000,
  pingInterval: 20_000,
  pingTimeout: 10_000,
} satisfies Settings

const known: readonly string[] = [...Object.keys(defaults), 'path', 'advertise', 'tls']
const most = 2 ** 31 - 1

/** @throws `invalid_argument`, naming the option and what it takes. */
export function settle(options: TcpTransportOptions): Settings {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw invalid(name, `unknown option; known are ${known.join(', ')}`)
  }
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  )
  const settings: Settings = { ...defaults, ...given }
  whole('port', settings.port, 0, 65_535)
  whole('maxMessageSize', settings.maxMessageSize, 1, most)
  // What goes before a message's first part must fit into a frame with it.
  whole('maxHeaderSize', settings.maxHeaderSize, 1_024, 32 * 1024)
  whole('maxCalls', settings.maxCalls, 1, 1_000_000)
  whole('maxPendingBytes', settings.maxPendingBytes, 1, Number.MAX_SAFE_INTEGER)
  whole('maxBufferedBytes', settings.maxBufferedBytes, 65_536, Number.MAX_SAFE_INTEGER)
  whole('streamCredit', settings.streamCredit, 65_536, most)
  whole('maxConnections', settings.maxConnections, 1, 1_000_000)
  whole('connectTimeout', settings.connectTimeout, 1, most)
  whole('pingInterval', settings.pingInterval, 1, most)
  whole('pingTimeout', settings.pingTimeout, 1, most)
  if (settings.path !== undefined && (options.port !== undefined || options.host !== undefined)) {
    throw invalid('path', 'a Unix socket has neither host nor port: leave those out')
  }
  if (settings.advertise !== undefined) parseAddress(settings.advertise, 'advertise')
  return settings
}

/** Where a `tcp:` or `unix:` URL leads. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string }

/** @throws `invalid_argument` for anything else; `what` names where the URL is from. */
export function parseAddress(text: string, what: string): Address {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'unix:' && url.pathname.length > 1) {
    return { path: decodeURIComponent(url.pathname) }
  }
  if (url?.protocol === 'tcp:' && url.hostname !== '' && url.port !== '') {
    return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) }
  }
  throw invalid(what, `"${text}"; give a URL such as tcp://10.0.0.7:7000 or unix:///run/me.sock`)
}

function whole(name: string, value: number, least: number, greatest: number): void {
  if (Number.isInteger(value) && value >= least && value <= greatest) return
  throw invalid(name, `${value}; give a whole number from ${least} to ${greatest}`)
}

function invalid(name: string, why: string): MicroError {
  return new MicroError('invalid_argument', `tcpTransport option ${name}: ${why}`)
}
