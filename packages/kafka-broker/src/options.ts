import { checkTopic } from '@micro/core/broker'
import { MicroError } from '@micro/core/errors'
import type { TlsMaterial, TlsSource } from '@micro/core/identity'
import type { Logger } from '@micro/core/logger'
import type { Meter } from '@micro/core/meter'

/** How this client proves who it is. */
export type KafkaSasl =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
      readonly username: string
      readonly password: string
    }
  | {
      readonly mechanism: 'oauthbearer'
      /** Asked for a token at each connection. */
      readonly token: () => Promise<string>
    }

/** How topics are made that are not there yet. */
export interface KafkaTopics {
  /** Partitions of a new topic: how many of its keys are handled at once. @default as Kafka is set up */
  readonly partitions?: number
  /** Brokers that keep a copy of it. @default as Kafka is set up */
  readonly replication?: number
  /** Its configuration: `{ 'retention.ms': '86400000' }`. @default as Kafka is set up */
  readonly config?: Readonly<Record<string, string>>
}

/** What all Kafka plugins take. */
export interface KafkaOptions {
  /** Where some of the cluster's brokers are; they tell of the others: `kafka-1:9092`. */
  readonly brokers: string | readonly string[]
  /** Names this client in Kafka's logs and quotas. @default 'micro' */
  readonly clientId?: string
  /** Put before the names of topics and groups, with a dot. @default none */
  readonly namespace?: string
  /** Names the consumer group of a group and topic. @default `<group>/<topic>` */
  readonly groupId?: (group: string, topic: string) => string
  /** TLS: by the authorities of Node, by material in PEM, or by a source that renews it. @default false */
  readonly tls?: boolean | TlsMaterial | TlsSource
  /** @default none */
  readonly sasl?: KafkaSasl
  /** Who has to have a message before it counts as published: all that must, or the leader. @default 'all' */
  readonly acks?: 'all' | 'leader'
  /** A message that is sent again is kept once. Needs `acks: 'all'`. @default true */
  readonly idempotence?: boolean
  /** @default 'none' */
  readonly compression?: 'none' | 'gzip'
  /** Milliseconds that publishing, or opening a subscription, tries before it fails. @default 30000 */
  readonly timeout?: number
  /** Milliseconds that a broker is given to answer one request. @default 10000 */
  readonly requestTimeout?: number
  /** Bytes of one message; larger ones are refused. Kafka's own limit is about the same. @default 1000000 */
  readonly maxMessageSize?: number
  /** Messages that wait to be sent, over all topics; more are refused. @default 100000 */
  readonly maxQueued?: number
  /** How topics are made on first use; `false` never makes one. @default {} */
  readonly topics?: KafkaTopics | false
  /** Milliseconds without a heartbeat after which Kafka gives a consumer's partitions to others. @default 30000 */
  readonly sessionTimeout?: number
  /** Milliseconds between heartbeats; also how soon a change of the group is noticed. @default 1000 */
  readonly heartbeatInterval?: number
  /** Milliseconds that a change of the group waits for its members. @default 60000 */
  readonly rebalanceTimeout?: number
  /** Milliseconds between commits, while there is something to commit. @default 100 */
  readonly commitInterval?: number
  /** Milliseconds that a fetch waits for messages. @default 100 */
  readonly maxWait?: number
  /** Bytes fetched ahead of each partition's handlers, more or less. @default 2097152 */
  readonly prefetch?: number
  /** Milliseconds between looks at how far behind a subscription is, and whether it is stuck. @default 15000 */
  readonly lagInterval?: number
  /** Told of lag, rebalances and restarts of consumers. @default none */
  readonly meter?: Meter
  /** Told of restarts of consumers, and of what the client library warns of. @default none */
  readonly logger?: Logger
}

/** Options after `settleKafka`. */
export interface KafkaSettings {
  readonly brokers: readonly string[]
  readonly clientId: string
  /** With its dot. */
  readonly prefix: string
  readonly groupId: (group: string, topic: string) => string
  readonly tls: boolean | TlsMaterial | TlsSource
  readonly sasl: KafkaSasl | undefined
  readonly acks: 'all' | 'leader'
  readonly idempotence: boolean
  readonly compression: 'none' | 'gzip'
  readonly timeout: number
  readonly requestTimeout: number
  readonly maxMessageSize: number
  readonly maxQueued: number
  readonly topics: KafkaTopics | false
  readonly sessionTimeout: number
  readonly heartbeatInterval: number
  readonly rebalanceTimeout: number
  readonly commitInterval: number
  readonly maxWait: number
  readonly prefetch: number
  readonly lagInterval: number
  readonly meter: Meter | undefined
  readonly logger: Logger | undefined
}

const known =
  `brokers clientId namespace groupId tls sasl acks idempotence compression timeout requestTimeout
  maxMessageSize maxQueued topics sessionTimeout heartbeatInterval rebalanceTimeout commitInterval
  maxWait prefetch lagInterval meter logger`.split(/\s+/)

/**
 * @param functions Further options of a plugin, which are functions.
 * @throws `invalid_argument`, naming the option, never a secret.
 */
export function settleKafka<T extends KafkaOptions>(
  options: T,
  functions: readonly (keyof T & string)[] = [],
): KafkaSettings {
  checkNames('', options, [...known, ...functions])
  const { namespace, clientId = 'micro', acks = 'all', compression = 'none' } = options
  if (typeof clientId !== 'string' || !/^[A-Za-z0-9._-]{1,249}$/.test(clientId)) {
    refuse('clientId', 'use letters, digits, ".", "_" and "-"')
  }
  if (namespace !== undefined) {
    if (typeof namespace !== 'string') refuse('namespace', 'give a text')
    checkTopic(namespace, 'option namespace')
  }
  oneOf('acks', acks, ['all', 'leader'])
  oneOf('compression', compression, ['none', 'gzip'])
  const idempotence = options.idempotence ?? acks === 'all'
  if (typeof idempotence !== 'boolean') refuse('idempotence', 'give true or false')
  if (idempotence && acks !== 'all') refuse('idempotence', "needs acks: 'all'; give one of the two")
  for (const name of ['groupId', ...functions] as const) {
    if (options[name] !== undefined && typeof options[name] !== 'function') {
      refuse(name, 'give a function')
    }
  }
  checkSasl(options.sasl)
  checkTls(options.tls)
  const sessionTimeout = whole('sessionTimeout', options.sessionTimeout ?? 30_000, 500, 1_800_000)
  const heartbeatInterval =
    options.heartbeatInterval ?? Math.min(1_000, Math.floor(sessionTimeout / 3))
  if (!(heartbeatInterval >= 10 && heartbeatInterval <= sessionTimeout / 2)) {
    refuse('heartbeatInterval', `${heartbeatInterval}; give 10 to half of sessionTimeout`)
  }
  return {
    brokers: checkBrokers(options.brokers),
    clientId,
    prefix: namespace === undefined ? '' : `${namespace}.`,
    groupId: options.groupId ?? ((group, topic) => `${group}/${topic}`),
    tls: options.tls ?? false,
    sasl: options.sasl,
    acks,
    idempotence,
    compression,
    timeout: whole('timeout', options.timeout ?? 30_000, 100, 600_000),
    requestTimeout: whole('requestTimeout', options.requestTimeout ?? 10_000, 100, 600_000),
    maxMessageSize: whole('maxMessageSize', options.maxMessageSize ?? 1_000_000, 1, 2 ** 30),
    maxQueued: whole('maxQueued', options.maxQueued ?? 100_000, 1, 10_000_000),
    topics: checkTopics(options.topics ?? {}),
    sessionTimeout,
    heartbeatInterval,
    rebalanceTimeout: whole('rebalanceTimeout', options.rebalanceTimeout ?? 60_000, 500, 3_600_000),
    commitInterval: whole('commitInterval', options.commitInterval ?? 100, 0, 60_000),
    maxWait: whole('maxWait', options.maxWait ?? 100, 1, 30_000),
    prefetch: whole('prefetch', options.prefetch ?? 2 ** 21, 1_024, 2 ** 30),
    lagInterval: whole('lagInterval', options.lagInterval ?? 15_000, 100, 3_600_000),
    meter: options.meter,
    logger: options.logger,
  }
}

function checkBrokers(given: KafkaOptions['brokers']): readonly string[] {
  const brokers = [given ?? []].flat()
  for (const broker of brokers) {
    const match = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(String(broker))
    if (match === null || Number(match[1]) > 65_535) {
      refuse('brokers', `${JSON.stringify(broker)}; give host and port: kafka-1:9092`)
    }
  }
  if (brokers.length === 0) refuse('brokers', 'give at least one, such as kafka-1:9092')
  return brokers
}

function checkSasl(sasl: KafkaSasl | undefined): void {
  if (sasl === undefined) return
  oneOf('sasl.mechanism', sasl.mechanism, [
    'plain',
    'scram-sha-256',
    'scram-sha-512',
    'oauthbearer',
  ])
  if (sasl.mechanism === 'oauthbearer') {
    checkNames('sasl.', sasl, ['mechanism', 'token'])
    if (typeof sasl.token !== 'function') refuse('sasl.token', 'give a function')
    return
  }
  checkNames('sasl.', sasl, ['mechanism', 'username', 'password'])
  for (const part of ['username', 'password'] as const) {
    if (typeof sasl[part] !== 'string' || sasl[part] === '') refuse(`sasl.${part}`, 'give a text')
  }
}

function checkTls(tls: KafkaOptions['tls']): void {
  if (tls === undefined || typeof tls === 'boolean' || 'current' in tls) return
  checkNames('tls.', tls, ['ca', 'cert', 'key'])
  for (const part of ['ca', 'cert', 'key'] as const) {
    const pem = tls[part]
    if (pem !== undefined && !(typeof pem === 'string' && pem.includes('-----BEGIN '))) {
      refuse(`tls.${part}`, 'is no PEM; give the content, not the path')
    }
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    refuse(tls.cert === undefined ? 'tls.cert' : 'tls.key', 'is missing; give both cert and key')
  }
}

function checkTopics(topics: KafkaTopics | false): KafkaTopics | false {
  if (topics === false) return topics
  checkNames('topics.', topics, ['partitions', 'replication', 'config'])
  const { partitions, replication } = topics
  if (partitions !== undefined) whole('topics.partitions', partitions, 1, 100_000)
  if (replication !== undefined) whole('topics.replication', replication, 1, 100)
  return topics
}

function checkNames(prefix: string, options: object, names: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) refuse(prefix + name, `is unknown; known are ${names.join(', ')}`)
  }
}

function oneOf(name: string, value: string, values: readonly string[]): void {
  if (!values.includes(value)) refuse(name, `${value}; give one of ${values.join(', ')}`)
}

function whole(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  return refuse(name, `${value}; give a whole number from ${least} to ${most}`)
}

function refuse(name: string, why: string): never {
  throw new MicroError('invalid_argument', `kafkaBroker option ${name}: ${why}`)
}
