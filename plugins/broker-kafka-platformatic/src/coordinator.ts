import { MicroError } from '@micro/core/errors'
import { type KafkaSettings, stickyProtocol, within } from '@micro/kafka-broker'
import { type Connection, NetworkError } from '@platformatic/kafka'
import * as apis from './apis.ts'
import { createCluster } from './cluster.ts'
import { errors } from './errors.ts'
import { assignmentsOf, partitionsOf, subscriptionOf } from './group.ts'

/** Who a member is for one generation of its group. */
export interface Session {
  readonly memberId: string
  readonly generationId: number
  /** Of the topic, when this led the group and spread them; of the others none knows. */
  readonly partitionCount: number | undefined
}

/** What a member of a group says to the broker that the group belongs to, by the classic protocol. */
export interface Coordinator {
  /**
   * Resolves once all members are there, and their leader has spread the partitions.
   *
   * @param memberId Who this is; without it, Kafka gives it a name and wants to be asked again.
   * @param onSession Told as soon as it has one.
   */
  join(
    memberId: string | undefined,
    owned: readonly number[],
    onSession: (session: Session) => void,
  ): Promise<readonly number[]>
  heartbeat(session: Session): Promise<void>
  commit(session: Session, offsets: ReadonlyMap<number, number>): Promise<void>
  leave(memberId: string): Promise<void>
  countPartitions(): Promise<number>
  /** Ends what is being asked. */
  interrupt(): void
  close(): void
}

export interface CoordinatorOptions {
  readonly settings: KafkaSettings
  readonly topic: string
  readonly groupId: string
  /** It has answered, and did not refuse. */
  readonly onAnswer: () => void
}

const protocolType = 'consumer'

export function createCoordinator(options: CoordinatorOptions): Coordinator {
  const { settings, topic, groupId, onAnswer } = options
  const { sessionTimeout, rebalanceTimeout, requestTimeout } = settings
  // Joining is answered when all have joined.
  const joinTimeout = rebalanceTimeout + requestTimeout
  const cluster = createCluster(settings, joinTimeout)

  const ask = async <T>(
    limit: number,
    work: (connection: Connection) => Promise<T>,
  ): Promise<T> => {
    try {
      const answer = await within(limit, cluster.coordinator(groupId, work))
      onAnswer()
      return answer
    } catch (error) {
      if (!MicroError.is(error)) throw error
      // One that does not answer is not asked again by this connection.
      cluster.dropCoordinator(groupId)
      throw new NetworkError(error.detail)
    }
  }
  const partitionsNow = async (): Promise<readonly number[]> =>
    (await cluster.partitions(topic)).map(({ partitionId }) => partitionId)

  return {
    async join(member, owned, onSession) {
      const protocols = [{ name: stickyProtocol.name, metadata: subscriptionOf(topic, owned) }]
      const { generationId, leader, memberId, members } = await ask(joinTimeout, (connection) =>
        apis.joinGroup.api.async(
          connection,
          groupId,
          sessionTimeout,
          rebalanceTimeout,
          member ?? '',
          null,
          protocolType,
          protocols,
        ),
      )
      const partitions = leader === memberId ? await partitionsNow() : undefined
      onSession({ memberId, generationId, partitionCount: partitions?.length })
      // Who does not lead waits for what the leader says.
      const assignments = partitions === undefined ? [] : assignmentsOf(topic, partitions, members)
      const { assignment } = await ask(joinTimeout, (connection) =>
        apis.syncGroup.api.async(
          connection,
          groupId,
          generationId,
          memberId,
          null,
          protocolType,
          stickyProtocol.name,
          assignments,
        ),
      )
      return partitionsOf(topic, assignment)
    },
    async heartbeat({ generationId, memberId }) {
      await ask(requestTimeout, (connection) =>
        apis.heartbeat.api.async(connection, groupId, generationId, memberId, null),
      )
    },
    async commit({ generationId, memberId }, offsets) {
      const partitions = [...offsets].map(([partition, offset]) => ({
        partitionIndex: partition,
        committedOffset: BigInt(offset),
        committedLeaderEpoch: -1,
        committedMetadata: null,
      }))
      await ask(requestTimeout, (connection) =>
        apis.offsetCommit.api.async(connection, groupId, generationId, memberId, null, [
          { name: topic, partitions },
        ]),
      )
    },
    async leave(memberId) {
      await ask(requestTimeout, (connection) =>
        apis.leaveGroup.api.async(connection, groupId, [{ memberId, groupInstanceId: null }]),
      )
    },
    countPartitions: async () => (await partitionsNow()).length,
    interrupt: () => cluster.dropCoordinator(groupId),
    close: () => cluster.close(),
  }
}

/** The group is about to change, or has done so without this member. */
export function isChange(error: unknown): boolean {
  return isOfGoneMember(error) || isWaiting(error) || errors.isOfType(error, 'ILLEGAL_GENERATION')
}

/** The group waits for this member to join anew. */
export function isWaiting(error: unknown): boolean {
  return errors.isOfType(error, 'REBALANCE_IN_PROGRESS')
}

export function isOfGoneMember(error: unknown): boolean {
  return errors.isOfType(error, 'UNKNOWN_MEMBER_ID')
}

/** The name that Kafka gives to who joins without one. */
export function givenId(error: unknown): string | undefined {
  if (!errors.isOfType(error, 'MEMBER_ID_REQUIRED')) return undefined
  const { response } = error as { readonly response?: { readonly memberId?: string } }
  return response?.memberId
}
