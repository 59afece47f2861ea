import type { Broker } from '@micro/core/broker'
import type { TlsMaterial, TlsSource } from '@micro/core/identity'
import type { Logger } from '@micro/core/logger'
import type { Meter } from '@micro/core/meter'

/** The options of a plugin, as far as they are used here. */
export interface SubjectOptions {
  readonly brokers: string | readonly string[]
  readonly namespace?: string
  readonly groupId?: (group: string, topic: string) => string
  readonly tls?: boolean | TlsMaterial | TlsSource
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
    readonly username: string
    readonly password: string
  }
  readonly compression?: 'none' | 'gzip'
  readonly timeout?: number
  readonly requestTimeout?: number
  readonly maxMessageSize?: number
  readonly maxQueued?: number
  readonly topics?:
    | {
        readonly partitions?: number
        readonly replication?: number
        readonly config?: Readonly<Record<string, string>>
      }
    | false
  readonly sessionTimeout?: number
  readonly heartbeatInterval?: number
  readonly rebalanceTimeout?: number
  readonly commitInterval?: number
  readonly maxWait?: number
  readonly prefetch?: number
  readonly lagInterval?: number
  readonly meter?: Meter
  readonly logger?: Logger
}

/** A plugin, to be tested. */
export interface Subject {
  readonly kafkaBroker: (options: SubjectOptions) => Broker
  /** A client that knows nothing of the plugin. */
  readonly openBare: (brokers: readonly string[]) => Promise<BareKafka>
  /** A module that calls `runProcess` with the plugin's factory. */
  readonly process: string
}

export interface BareMessage {
  readonly key?: string | Buffer
  readonly value: string | Buffer | null
  /** Each in its own right: `{ h: ['1', '2'] }` is a header that comes twice. */
  readonly headers?: Readonly<Record<string, string | string[]>>
}

export interface BareRecord {
  readonly key: string | undefined
  readonly value: string
  readonly headers: Readonly<Record<string, string>>
  readonly partition: number
}

/** A client library as it is, for what its users do. */
export interface BareKafka {
  /** The first messages of a topic, those of a partition in order. */
  read(topic: string, count: number): Promise<readonly BareRecord[]>
  /** With the library's own choice of partitions. */
  publish(topic: string, messages: readonly BareMessage[], compression?: 'gzip'): Promise<unknown>
  /** All of them, or none that others are to see. */
  transact(topic: string, values: readonly string[], end: 'commit' | 'abort'): Promise<unknown>
  createTopic(topic: string, partitions: number): Promise<unknown>
  deleteTopic(topic: string): Promise<unknown>
  /** Of its only partition, all before this offset. */
  truncate(topic: string, offset: number): Promise<unknown>
  countPartitions(topic: string): Promise<number>
  /** Has so many from then on. */
  addPartitions(topic: string, count: number): Promise<unknown>
  groups(): Promise<readonly string[]>
  close(): Promise<unknown>
}
