import { sleep, unrefTimer } from '@micro/core/component'
import {
  handOver,
  type KafkaMember,
  type KafkaSettings,
  type Lanes,
  type MemberOptions,
  unavailable,
  within,
} from '@micro/kafka-broker'
import type { Batch, Cluster, Consumer } from 'kafkajs'
import { stickyAssigner } from './assigner.ts'
import type { Client } from './client.ts'
import { errors } from './errors.ts'

/** Of kafkajs's own, which are not typed. */
interface Coordinator {
  heartbeat(request: {
    readonly groupId: string
    readonly groupGenerationId: number
    readonly memberId: string
  }): Promise<unknown>
  leaveGroup(member: { readonly groupId: string; readonly memberId: string }): Promise<unknown>
}

/** Milliseconds for a goodbye. */
const goodbye = 3_000

export function startMember(
  client: Client,
  settings: KafkaSettings,
  options: MemberOptions,
): KafkaMember {
  const { topic, groupId, lanes } = options
  const death = Promise.withResolvers<unknown>()
  let joined = false
  let ended = false
  let generation = 0
  let aliveAt = Date.now()
  let ghost = options.ghost
  let id: string | undefined

  const leave = async (cluster: Cluster): Promise<void> => {
    aliveAt = Date.now()
    if (!joined) return
    setJoined(false)
    await handOver({
      settings,
      idle: () => lanes.idle(),
      beat: async () => {
        const isCountedOn = await beat(cluster)
        if (isCountedOn) aliveAt = Date.now()
        return isCountedOn
      },
    })
    const offsets = lanes.uncommitted()
    if (offsets.size > 0) await within(goodbye, commit(offsets)).catch(() => undefined)
    aliveAt = Date.now()
  }
  const beat = async (cluster: Cluster): Promise<boolean> => {
    if (session === undefined) return false
    const { memberId, groupGenerationId } = session
    try {
      const found = (await within(
        settings.requestTimeout,
        findCoordinator(cluster),
      )) as Partial<Coordinator>
      if (found.heartbeat === undefined) return false
      await found.heartbeat({ groupId, groupGenerationId, memberId })
      return true
    } catch (error) {
      // So it answers, as long as it waits for this member.
      return errors.isOfType(error, 'REBALANCE_IN_PROGRESS')
    }
  }
  const setJoined = (value: boolean): void => {
    joined = value
    if (value) options.onJoined()
    else options.onLeft()
  }
  const die = (why: unknown): void => {
    if (joined) setJoined(false)
    death.resolve(why)
  }

  let session: { memberId: string; groupGenerationId: number } | undefined
  let findCoordinator = (cluster: Cluster) => cluster.findGroupCoordinator({ groupId })
  const assigner = stickyAssigner(topic, () => lanes.partitions)
  const consumer: Consumer = client.kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    sessionTimeout: settings.sessionTimeout,
    heartbeatInterval: settings.heartbeatInterval,
    rebalanceTimeout: settings.rebalanceTimeout,
    maxWaitTimeInMs: settings.maxWait,
    maxBytesPerPartition: Math.max(settings.prefetch / 2, 65_536),
    metadataMaxAge: 60_000,
    retry: {
      retries: 4,
      initialRetryTime: 100,
      maxRetryTime: 1_000,
      // Its own restart keeps what it knew of the cluster, which is often what it died of.
      restartOnFailure: async () => false,
    },
    partitionAssigners: [
      (config) => {
        // Each joining of the group asks for its coordinator first; there is no other place to wait.
        const find = config.cluster.findGroupCoordinator.bind(config.cluster)
        findCoordinator = () => find({ groupId })
        config.cluster.findGroupCoordinator = async (group) => {
          await leave(config.cluster)
          const coordinator = await find(group)
          if (ghost !== undefined) await layToRest(coordinator, groupId, ghost)
          ghost = undefined
          return coordinator
        }
        return assigner(config)
      },
    ],
  })

  const commit = async (offsets: ReadonlyMap<number, number>): Promise<void> => {
    await consumer.commitOffsets(
      [...offsets].map(([partition, offset]) => ({ topic, partition, offset: String(offset) })),
    )
  }
  /** kafkajs leaves out a commit without a word if it is no longer running. */
  const commitForSure = async (offsets: ReadonlyMap<number, number>): Promise<void> => {
    let done = false
    const off = consumer.on('consumer.commit_offsets', () => {
      done = true
    })
    try {
      await commit(offsets)
    } finally {
      off()
    }
    if (!done) throw unavailable(`group ${groupId}: the first offsets were not committed`)
  }
  const settleIn = async (partitions: readonly number[]): Promise<void> => {
    generation += 1
    const mine = generation
    if (partitions.length > 0) consumer.pause([{ topic, partitions: [...partitions] }])
    const offsets = await options.startOffsets(partitions, commitForSure)
    if (mine !== generation || ended) return
    lanes.assign(offsets)
    for (const partition of partitions) {
      const { next = 0, held = false } = lanes.position(partition) ?? {}
      consumer.seek({ topic, partition, offset: String(next) })
      if (!held) consumer.resume([{ topic, partitions: [partition] }])
    }
    setJoined(true)
  }
  const run = async (): Promise<void> => {
    await consumer.connect()
    // Where an offset has gone with its messages, what is left is read from its start.
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => accept(lanes, batch),
    })
  }

  consumer.on('consumer.crash', ({ payload }) => die(payload.error))
  consumer.on('consumer.heartbeat', ({ payload }) => {
    session = payload
    aliveAt = Date.now()
  })
  consumer.on('consumer.group_join', ({ payload }) => {
    aliveAt = Date.now()
    id = payload.memberId
    if (session?.memberId !== payload.memberId) session = undefined
    settleIn(payload.memberAssignment[topic] ?? []).catch(die)
  })
  consumer.on('consumer.commit_offsets', ({ payload }) => {
    for (const { partitions } of payload.topics) {
      for (const { partition, offset } of partitions) lanes.onCommitted(partition, Number(offset))
    }
  })
  // Also of batches that hold nothing but marks of transactions.
  consumer.on('consumer.end_batch_process', ({ payload }) => {
    const { partition, lastOffset, highWatermark } = payload
    lanes.accept(partition, [], Number(lastOffset) + 1, Number(highWatermark))
  })
  const watchdog = unrefTimer(
    setInterval(
      () => {
        const silence = Date.now() - aliveAt
        const { sessionTimeout, rebalanceTimeout } = settings
        if (silence < (joined ? sessionTimeout : sessionTimeout + rebalanceTimeout)) return
        die(unavailable(`group ${groupId}: no heartbeat for ${silence} ms`))
      },
      Math.min(1_000, settings.sessionTimeout / 4),
    ),
  )
  run().catch(die)

  return {
    get joined() {
      return joined
    },
    get id() {
      return id
    },
    died: death.promise,
    die,
    commit,
    hold(partition, held) {
      // What is held meanwhile is seen to when it has joined.
      if (!joined) return
      const partitions = [{ topic, partitions: [partition] }]
      if (held) consumer.pause(partitions)
      else consumer.resume(partitions)
    },
    async end() {
      ended = true
      clearInterval(watchdog)
      // A handler that does not end must not keep kafkajs from leaving.
      if (joined) setJoined(false)
      await within(goodbye, consumer.disconnect()).catch(() => undefined)
      client.destroy()
    },
  }
}

/** Says goodbye for a member that could not, or the group would wait for it until its session ends. */
async function layToRest(coordinator: unknown, groupId: string, memberId: string): Promise<void> {
  const { leaveGroup } = coordinator as Partial<Coordinator>
  for (let attempt = 0; attempt < 10; attempt++) {
    try {
      await leaveGroup?.call(coordinator, { groupId, memberId })
      return
    } catch (error) {
      // A coordinator that has just started does not know yet whom it knows.
      if (errors.isOfType(error, 'UNKNOWN_MEMBER_ID')) return
      await sleep(100 * attempt, { keepAlive: true })
    }
  }
}

function accept(lanes: Lanes, batch: Batch): void {
  lanes.accept(
    batch.partition,
    batch.messages,
    Number(batch.lastOffset()) + 1,
    Number(batch.highWatermark),
  )
}
