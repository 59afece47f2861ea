import { backoff, sleep } from '@micro/core/component'
import type { KafkaSettings, Lanes } from '@micro/kafka-broker'
import * as apis from './apis.ts'
import type { Cluster } from './cluster.ts'
import { decode } from './decode.ts'
import { canPass, partsOf, protocolError } from './errors.ts'

export interface FetcherOptions {
  readonly cluster: Cluster
  readonly settings: KafkaSettings
  readonly topic: string
  readonly lanes: Lanes
  /** It cannot go on. */
  readonly onFailure: (why: unknown) => void
}

/** Fills lanes, by one request at a time to each broker that leads some of their partitions. */
export interface Fetcher {
  /** What it fetches from now on; what is under way is dropped. */
  assign(partitions: readonly number[]): void
  /** Looks again which of them are held. */
  pump(): void
}

const earliest = -2n
const readCommitted = 1
const outOfRange = 1
/** Bytes of an answer, for all partitions. */
const maxBytes = 10_485_760

export function createFetcher(options: FetcherOptions): Fetcher {
  const { cluster, settings, topic, lanes, onFailure } = options
  const partitionMaxBytes = Math.max(Math.floor(settings.prefetch / 2), 65_536)
  let assigned: readonly number[] = []
  /** So that no answer of before is taken for one of now: lanes may have begun anew at other offsets. */
  let round = 0
  let leaders = new Map<number, number>()
  let isLooking = false
  const busy = new Set<number>()
  /** Where to go on that is not the lane's own next, by partition: its offset is not there. */
  const moved = new Map<number, number>()
  let failures = 0

  const wait = (): Promise<void> => sleep(backoff(failures, { base: 100, max: 1_000 }) + 20)
  const findLeaders = async (): Promise<void> => {
    isLooking = true
    try {
      const found = await cluster.partitions(topic)
      leaders = new Map(found.map(({ partitionId, leader }) => [partitionId, leader]))
      if (assigned.some((partition) => (leaders.get(partition) ?? -1) < 0)) await wait()
    } finally {
      isLooking = false
    }
  }
  const failed = async (error: unknown): Promise<void> => {
    if (!canPass(error)) {
      onFailure(error)
      return
    }
    failures += 1
    await wait()
  }
  const pump = (): void => {
    const wanted = assigned.filter((partition) => lanes.position(partition)?.held === false)
    const byLeader = Map.groupBy(wanted, (partition) => leaders.get(partition) ?? -1)
    for (const [leader, partitions] of byLeader) {
      if (leader < 0) {
        if (!isLooking) findLeaders().catch(failed).then(pump).catch(onFailure)
      } else if (!busy.has(leader)) {
        busy.add(leader)
        fetch(leader, partitions)
          .catch(async (error: unknown) => {
            for (const partition of partitions) leaders.delete(partition)
            await failed(error)
          })
          .finally(() => busy.delete(leader))
          .then(pump)
          .catch(onFailure)
      }
    }
  }
  const fetch = async (leader: number, partitions: readonly number[]): Promise<void> => {
    const of = round
    const { errorCode, responses } = await cluster.node(leader, (connection) =>
      partsOf(
        apis.fetch.api.async(
          connection,
          settings.maxWait,
          1,
          maxBytes,
          readCommitted,
          // No session: each request says all.
          0,
          -1,
          [{ topicId: topic, partitions: partitions.map(wish) }],
          [],
          '',
        ),
      ),
    )
    if (of !== round) return
    if (errorCode !== 0) throw protocolError(errorCode)
    const lost: number[] = []
    for (const found of responses.flatMap((answer) => answer.partitions)) {
      const { partitionIndex: partition, highWatermark } = found
      if (found.errorCode === outOfRange) lost.push(partition)
      else if (found.errorCode !== 0) {
        leaders.delete(partition)
        const error = protocolError(found.errorCode)
        if (!isOfLeader(found.errorCode)) await failed(error)
        else if (partitions.length === 1) await wait()
      } else {
        const { records, next } = decode(found)
        if (next === undefined) continue
        const start = moved.get(partition) ?? 0
        moved.delete(partition)
        // Of a batch whose first records are gone, Kafka sends all.
        const there =
          start === 0 ? records : records.filter(({ offset }) => Number(offset) >= start)
        lanes.accept(partition, there, next, Number(highWatermark))
      }
    }
    failures = 0
    if (lost.length > 0) await findStarts(of, leader, lost)
  }
  const wish = (partition: number) => ({
    partition,
    currentLeaderEpoch: -1,
    fetchOffset: BigInt(moved.get(partition) ?? lanes.position(partition)?.next ?? 0),
    lastFetchedEpoch: -1,
    partitionMaxBytes,
  })
  /** Where an offset has gone with its messages, what is left is read from its start. */
  const findStarts = async (
    of: number,
    leader: number,
    partitions: readonly number[],
  ): Promise<void> => {
    const { topics } = await cluster.node(leader, (connection) =>
      apis.listOffsets.api.async(connection, -1, readCommitted, [
        {
          name: topic,
          partitions: partitions.map((partition) => ({
            partitionIndex: partition,
            currentLeaderEpoch: -1,
            timestamp: earliest,
          })),
        },
      ]),
    )
    if (of !== round) return
    for (const one of topics.flatMap((answer) => answer.partitions)) {
      moved.set(one.partitionIndex, Number(one.offset))
    }
  }

  return {
    assign(partitions) {
      round += 1
      assigned = partitions
      moved.clear()
      pump()
    },
    pump,
  }
}

/** Another broker leads the partition by now, or none does. */
function isOfLeader(code: number): boolean {
  return [3, 5, 6, 9, 56, 74, 75, 76, 78, 100, 103].includes(code)
}
