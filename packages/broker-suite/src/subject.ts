import type { Broker } from '@micro/core/broker'

/** A real server that a test can stop in more ways than one. */
export interface Server {
  readonly port: number
  /** Ends it at once. */
  kill(): Promise<unknown>
  /** Kills it if it runs; on the same port again, with what it had. */
  restart(): Promise<unknown>
  /** It keeps its connections, and does nothing. */
  pause(): void
  resume(): void
  stop(): Promise<unknown>
}

export interface OpenOptions {
  /** Of the server, or of a proxy before it. */
  readonly port: number
  readonly namespace: string
  /** Milliseconds that publishing tries before it fails. @default 2000 */
  readonly timeout?: number | undefined
  /** Milliseconds without a sign of life after which others get what a member has in hand. @default 600 */
  readonly silence?: number | undefined
}

/** A plugin, to be tested. */
export interface Subject {
  /** As errors call the server: `NATS`. */
  readonly name: string
  /** Whether the server can be had here. */
  readonly isThere: boolean
  start(): Promise<Server>
  open(options: OpenOptions): Broker
  /** A module that calls `takeAndHang` with a broker of the port and namespace that are its arguments. */
  readonly process: string
  /** Of so many pieces that a client has sent one is lost, with its connection, and one has no answer. */
  readonly cutEvery: number
}
