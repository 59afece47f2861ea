import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { KafkaSettings } from '@micro/kafka-broker'
import { type ISocketFactory, Kafka, type KafkaConfig, type LogEntry, logLevel } from 'kafkajs'
import { mendRequestQueue } from './request-queue.ts'

/** A kafkajs client of its own for each use: clients share offsets and connections in ways that harm. */
export interface Client {
  readonly kafka: Kafka
  /** Ends what kafkajs leaves open when it disconnects in a bad moment, and keeps it from reconnecting. */
  destroy(): void
}

const keepAliveDelay = 60_000

export function createClient(
  settings: KafkaSettings,
  socketFactory: ISocketFactory | undefined,
): Client {
  mendRequestQueue()
  const sockets = new Set<Socket>()
  let destroyed = false
  const open = socketFactory ?? defaultSockets(settings)
  const { sasl, logger } = settings
  const kafka = new Kafka({
    brokers: [...settings.brokers],
    clientId: settings.clientId,
    connectionTimeout: Math.min(3_000, settings.requestTimeout),
    authenticationTimeout: settings.requestTimeout,
    requestTimeout: settings.requestTimeout,
    // One for the connection; who waits for it tries again, and knows for how long.
    retry: { retries: 1, initialRetryTime: 100, maxRetryTime: 1_000 },
    ssl: settings.tls !== false,
    ...(sasl === undefined ? {} : { sasl: saslOf(sasl) }),
    logLevel: logger === undefined ? logLevel.NOTHING : logLevel.WARN,
    logCreator: () => (entry) => log(settings, entry),
    socketFactory(args) {
      if (destroyed) throw new Error('the client has been closed')
      const socket = open(args)
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      // kafkajs writes as soon as it has a socket, and each write waits for the connection.
      socket.setMaxListeners(0)
      // kafkajs takes its own one away before the connection has ended.
      socket.on('error', () => undefined)
      return socket
    },
  })
  return {
    kafka,
    destroy() {
      destroyed = true
      // Without an error kafkajs would not notice, and wait for answers.
      for (const socket of sockets) socket.destroy(new Error('the client has been closed'))
    },
  }
}

function defaultSockets({ tls }: KafkaSettings): ISocketFactory {
  return ({ host, port, onConnect }) => {
    const servername = isIP(host) === 0 ? { servername: host } : {}
    const socket =
      tls === false
        ? connectTcp({ host, port }, onConnect)
        : connectTls({ host, port, ...servername, ...materialOf(tls) }, onConnect)
    socket.setKeepAlive(true, keepAliveDelay)
    socket.setNoDelay(true)
    return socket
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

function saslOf(sasl: NonNullable<KafkaSettings['sasl']>): NonNullable<KafkaConfig['sasl']> {
  switch (sasl.mechanism) {
    case 'oauthbearer':
      return {
        mechanism: sasl.mechanism,
        oauthBearerProvider: async () => ({ value: await sasl.token() }),
      }
    case 'plain':
      return { ...sasl, mechanism: sasl.mechanism }
    case 'scram-sha-256':
      return { ...sasl, mechanism: sasl.mechanism }
    case 'scram-sha-512':
      return { ...sasl, mechanism: sasl.mechanism }
  }
}

function log({ logger }: KafkaSettings, { level, log: entry, namespace }: LogEntry): void {
  const { message, groupId, broker, error } = entry
  logger?.log(level === logLevel.ERROR ? 'warn' : 'debug', `kafkajs: ${message}`, {
    part: namespace,
    'messaging.consumer.group.name': groupId,
    broker,
    detail: error,
  })
}
