import { Redis, type RedisOptions } from 'ioredis'
import type { Settings } from './options.ts'

/** What is used of a `Redis` of `ioredis`. */
export interface RedisClient {
  readonly status: string
  callBuffer(command: string, args: (string | Buffer | number)[]): Promise<unknown>
  pipeline(): RedisPipeline
  subscribe(...channels: string[]): Promise<unknown>
  unsubscribe(...channels: string[]): Promise<unknown>
  duplicate(): RedisClient
  connect(): Promise<void>
  disconnect(reconnect?: boolean): void
  on(event: string, listener: (...values: unknown[]) => void): unknown
  off(event: string, listener: (...values: unknown[]) => void): unknown
}

/** Commands that are sent together. */
interface RedisPipeline {
  callBuffer(command: string, args: (string | Buffer | number)[]): unknown
  /** Sends them. */
  exec(): Promise<[error: Error | null, answer?: unknown][] | null>
}

/** The longest wait between two attempts to connect. */
const longestWait = 2_000

/** A client that connects when told to, and then for ever again. */
export function makeClient(settings: Settings): RedisClient {
  const { url, tls, user, password, database } = settings
  const { protocol, hostname, port } = new URL(url)
  const options = {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 6379 : Number(port),
    ...(user === undefined ? {} : { username: user }),
    ...(password === undefined ? {} : { password }),
    ...(database === undefined ? {} : { db: database }),
    ...(protocol === 'rediss:' ? { tls: tlsOptions(settings.tls) } : {}),
    connectionName: 'micro-broker',
    lazyConnect: true,
    connectTimeout: settings.timeout,
    retryStrategy: (times) => Math.random() * Math.min(longestWait, 50 * 2 ** Math.min(times, 10)),
    // What is under way when a connection ends fails at once, and nothing is queued for the next one:
    // who asked decides whether to ask again. Without the first, such commands would never settle.
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    // After a failover the old address may still answer, as a replica.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    // A peer that is frozen does not answer a goodbye either.
    disconnectTimeout: 100,
  } satisfies RedisOptions & { disconnectTimeout: number }
  return new Redis(options)

  function tlsOptions(given: typeof tls): Record<string, unknown> {
    const { serverName, ...material } = given ?? {}
    const isName = !/^[\d.]+$|:/.test(hostname)
    const name = serverName ?? (isName ? hostname : undefined)
    return { ...material, ...(name === undefined ? {} : { servername: name }) }
  }
}
