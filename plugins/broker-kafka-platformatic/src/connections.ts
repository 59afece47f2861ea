import { isIP } from 'node:net'
import { unrefTimer } from '@micro/core/component'
import type { KafkaSettings } from '@micro/kafka-broker'
import { within } from '@micro/kafka-broker'
import {
  apiVersionsV3,
  Connection,
  type ConnectionOptions,
  clientSoftwareName,
  clientSoftwareVersion,
  NetworkError,
  UnsupportedApiError,
} from '@platformatic/kafka'
import * as apis from './apis.ts'
import { saslOf } from './sasl.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** One connection to each broker, made when it is asked for. */
export interface Connections {
  get(address: Address): Promise<Connection>
  /** Ends it, with all that waits for an answer by it. */
  drop(address: Address): void
  /** Ends all of them at once, and makes no others. */
  close(): void
}

const keepAliveDelay = 60_000

/** @param requestTimeout Milliseconds after which a request without an answer ends its connection. */
export function createConnections(settings: KafkaSettings, requestTimeout: number): Connections {
  const opened = new Map<string, Promise<Connection>>()
  const all = new Set<Connection>()
  let closed = false

  const forget = (name: string, connection: Connection): void => {
    all.delete(connection)
    end(connection)
    opened.get(name)?.then(
      (current) => {
        if (current === connection) opened.delete(name)
      },
      () => undefined,
    )
  }
  /** Another one takes its place; what it was asked before that is answered by it. */
  const retireLater = (name: string, connection: Connection, after: number): void => {
    const retire = (): void => {
      if (!all.has(connection)) return
      opened.delete(name)
      unrefTimer(setTimeout(() => forget(name, connection), requestTimeout))
    }
    unrefTimer(setTimeout(retire, after))
  }
  const dial = async ({ host, port }: Address, name: string): Promise<Connection> => {
    let lifetime = 0
    const options = optionsOf(settings, host, requestTimeout, (milliseconds) => {
      lifetime = milliseconds
    })
    const connection = new Connection(settings.clientId, options)
    all.add(connection)
    // What waits for an answer hears of it; without a listener it would end the process.
    connection.on('error', () => forget(name, connection))
    connection.on('close', () => forget(name, connection))
    try {
      await new Promise<void>((resolve, reject) => {
        connection.connect(host, port, (error) => {
          if (error === null || error === undefined) resolve()
          else reject(error)
        })
      })
      connection.socket.setKeepAlive(true, keepAliveDelay)
      await checkVersions(connection, settings.requestTimeout)
      if (closed) throw new NetworkError('the client has been closed')
      if (lifetime > 0) retireLater(name, connection, lifetime * 0.8)
      return connection
    } catch (error) {
      forget(name, connection)
      throw telling(error, name)
    }
  }

  return {
    get(address) {
      if (closed) return Promise.reject(new NetworkError('the client has been closed'))
      const name = `${address.host}:${address.port}`
      const known = opened.get(name)
      if (known !== undefined) return known
      const connection = dial(address, name)
      opened.set(name, connection)
      connection.catch(() => {
        if (opened.get(name) === connection) opened.delete(name)
      })
      return connection
    },
    drop({ host, port }) {
      const name = `${host}:${port}`
      const connection = opened.get(name)
      opened.delete(name)
      connection?.then(
        (one) => forget(name, one),
        () => undefined,
      )
    },
    close() {
      closed = true
      for (const connection of all) end(connection)
      all.clear()
      opened.clear()
    },
  }
}

function optionsOf(
  settings: KafkaSettings,
  host: string,
  requestTimeout: number,
  onLifetime: (milliseconds: number) => void,
): ConnectionOptions {
  const { tls, sasl } = settings
  return {
    // Until it is authenticated.
    connectTimeout: Math.min(5_000, settings.requestTimeout),
    requestTimeout,
    // The time of a request begins when it is sent: none is to wait for others before that.
    maxInflights: 1_000,
    ...(tls === false ? {} : { tls: { ...materialOf(tls), ...nameOf(host) } }),
    ...(sasl === undefined ? {} : { sasl: saslOf(sasl, onLifetime) }),
  }
}

/** Asked for at each connection, so that renewed certificates are used from then on. */
function materialOf(tls: true | Exclude<KafkaSettings['tls'], boolean>) {
  if (tls === true) return {}
  const { ca, cert, key } = 'current' in tls ? tls.current() : tls
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  }
}

/** Node warns of addresses that are given as names. */
function nameOf(host: string): { servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {}
}

/** A Kafka that does not know a request closes the connection without a word. */
async function checkVersions(connection: Connection, timeout: number): Promise<void> {
  const asked = apiVersionsV3.api.async(connection, clientSoftwareName, clientSoftwareVersion)
  const { apiKeys } = await within(timeout, asked)
  const known = new Map(apiKeys.map((api) => [api.apiKey, api]))
  for (const {
    api: { key, version },
  } of Object.values(apis)) {
    const found = known.get(key)
    if (found !== undefined && found.minVersion <= version && version <= found.maxVersion) continue
    throw new UnsupportedApiError(`this Kafka does not know version ${version} of request ${key}`)
  }
}

/** With its cause, which the library tells only in its depth. */
function telling(error: unknown, name: string): unknown {
  if (!(error instanceof Error)) return error
  let cause: unknown = error
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause
  if (cause === error) return error
  return new NetworkError(`${name}: ${(cause as Error).message}`, { cause: error })
}

function end(connection: Connection): void {
  connection.close(() => undefined)
  // The library lets a connection that failed wait for the other side.
  connection.socket?.destroy()
}
