import type { KafkaErrors } from './errors.ts'
import type { Lanes } from './lanes.ts'
import type { KafkaTopics } from './options.ts'

/**
 * What a plugin gives: a client library, behind the few things that are asked of it. What it rejects
 * with are the library's own errors; `errors` can read them.
 */
export interface KafkaClient {
  readonly errors: KafkaErrors
  /** Messages that it puts into one batch without getting slow. */
  readonly maxBatch: number
  /** For questions about topics and groups. One that has failed once is closed, and not used again. */
  openAdmin(): Promise<KafkaAdmin>
  openProducer(): Promise<KafkaProducer>
  startMember(options: MemberOptions): KafkaMember
}

export interface Partition {
  readonly partitionId: number
  /** Negative while there is none. */
  readonly leader: number
}

export interface KafkaAdmin {
  /** The topic as it is now; never makes one. */
  partitions(topic: string): Promise<readonly Partition[]>
  /** Resolves also where it is there already. */
  createTopic(topic: string, how: KafkaTopics): Promise<void>
  /** What a group has committed, by partition, without those where it has nothing. */
  committed(groupId: string, topic: string): Promise<ReadonlyMap<number, number>>
  /** The offset after the last message of each partition. */
  ends(topic: string): Promise<ReadonlyMap<number, number>>
  deleteGroup(groupId: string): Promise<void>
  close(): Promise<void>
}

/** A message on its way to Kafka. */
export interface KafkaMessage {
  readonly value: Buffer
  readonly key: Buffer | null
  readonly headers: Readonly<Record<string, string>>
  /** Chosen once and for all before it is first sent, so that it never is in two of them. */
  partition: number
}

export type PartitionMessages = readonly [partition: number, messages: readonly KafkaMessage[]]

/**
 * Sends batches. It is called for several topics at once, but for a partition only when the batch
 * before has been answered; one that failed is either sent again as it was, or was the last.
 */
export interface KafkaProducer {
  /** False once nothing sent by it can succeed: another is opened in its place. */
  readonly usable: boolean
  /**
   * Sends messages of partitions that have one leader.
   *
   * @param leader As it was found a while ago.
   * @param onSent A partition whose messages Kafka has taken, also if others fail.
   */
  send(
    topic: string,
    leader: number,
    batches: readonly PartitionMessages[],
    onSent: (partition: number) => void,
  ): Promise<void>
  /** Nothing is under way any more. */
  close(): Promise<void>
}

export interface MemberOptions {
  readonly topic: string
  readonly groupId: string
  readonly lanes: Lanes
  /** Who this was in its last life; the group would wait for it. */
  readonly ghost: string | undefined
  /** The group's offset of each partition that is now this member's; commits what is missing. */
  readonly startOffsets: (
    partitions: readonly number[],
    commit: (offsets: ReadonlyMap<number, number>) => Promise<void>,
  ) => Promise<ReadonlyMap<number, number>>
  /** Its lanes may go on. */
  readonly onJoined: () => void
  /** The group changes: they may not. */
  readonly onLeft: () => void
}

/** One life of a consumer, from joining the group until it dies or leaves. */
export interface KafkaMember {
  readonly joined: boolean
  /** What Kafka calls it. */
  readonly id: string | undefined
  /** Resolves with why it died. */
  readonly died: Promise<unknown>
  die(why: unknown): void
  commit(offsets: ReadonlyMap<number, number>): Promise<void>
  hold(partition: number, held: boolean): void
  /** Leaves the group if it can, and frees everything in any case. */
  end(): Promise<void>
}
