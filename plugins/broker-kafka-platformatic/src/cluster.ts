import { sleep } from '@micro/core/component'
import type { KafkaSettings, Partition } from '@micro/kafka-broker'
import { type Connection, NetworkError } from '@platformatic/kafka'
import * as apis from './apis.ts'
import { type Address, createConnections } from './connections.ts'
import { canPass, isLost, partsOf, protocolError } from './errors.ts'

/** A Kafka as one user of it knows it, with connections of its own. */
export interface Cluster {
  /** Has any broker that can be reached do this. */
  any<T>(work: (connection: Connection) => Promise<T>): Promise<T>
  /** Has this one do it. */
  node<T>(id: number, work: (connection: Connection) => Promise<T>): Promise<T>
  /** The one that takes requests which change the cluster. */
  controller<T>(work: (connection: Connection) => Promise<T>): Promise<T>
  /** The one that a group belongs to; asks for it anew where it has moved. */
  coordinator<T>(groupId: string, work: (connection: Connection) => Promise<T>): Promise<T>
  /** Fails if the topic is not there. */
  partitions(topic: string): Promise<readonly Partition[]>
  /** Ends the connections to where a group's coordinator was last, with all that waits for an answer. */
  dropCoordinator(groupId: string): void
  /** At once. */
  close(): void
}

/** Kinds of what a coordinator is of. */
const ofGroup = 0

export function createCluster(
  settings: KafkaSettings,
  requestTimeout: number = settings.requestTimeout,
): Cluster {
  const connections = createConnections(settings, requestTimeout)
  const seeds = settings.brokers.map(addressOf)
  const nodes = new Map<number, Address>()
  const coordinators = new Map<string, Address>()
  // So that not all clients ask the first one.
  let turn = Math.floor(Math.random() * seeds.length)

  const any = async <T>(work: (connection: Connection) => Promise<T>): Promise<T> => {
    const failures: unknown[] = []
    // Those of the options may all be gone.
    const places = [...rotated(seeds, turn), ...nodes.values()]
    for (const [, address] of new Map(
      places.map((place) => [`${place.host}:${place.port}`, place]),
    )) {
      let connection: Connection
      try {
        connection = await connections.get(address)
      } catch (error) {
        failures.push(error)
        turn += 1
        continue
      }
      try {
        return await work(connection)
      } catch (error) {
        if (isLost(error)) turn += 1
        throw error
      }
    }
    const [first] = failures
    throw failures.length === 1 ? first : manyOf(failures)
  }
  const metadata = async (topics: readonly string[]) => {
    const found = await any((connection) =>
      // Who asks about none wants to know where the brokers are.
      partsOf(apis.metadata.api.async(connection, [...topics], false, false)),
    )
    nodes.clear()
    for (const { nodeId, host, port } of found.brokers) nodes.set(nodeId, { host, port })
    return found
  }
  const node = async <T>(id: number, work: (connection: Connection) => Promise<T>): Promise<T> => {
    if (!nodes.has(id)) await metadata([])
    const address = nodes.get(id)
    if (address === undefined) throw new NetworkError(`broker ${id} is not there`)
    try {
      return await work(await connections.get(address))
    } catch (error) {
      // It may be back at another place.
      if (canPass(error)) nodes.delete(id)
      throw error
    }
  }
  const findCoordinator = async (groupId: string): Promise<Address> => {
    const { coordinators: found } = await any((connection) =>
      apis.findCoordinator.api.async(connection, ofGroup, [groupId]),
    )
    const [coordinator] = found
    if (coordinator === undefined) throw new NetworkError(`group ${groupId} has no coordinator`)
    return { host: coordinator.host, port: coordinator.port }
  }

  return {
    any,
    node,
    async controller(work) {
      const { controllerId } = await metadata([])
      return node(controllerId, work)
    },
    async coordinator(groupId, work) {
      // The first group of a Kafka finds none until Kafka has made its topic of offsets.
      for (const until = Date.now() + settings.requestTimeout; ; ) {
        try {
          const address = coordinators.get(groupId) ?? (await findCoordinator(groupId))
          coordinators.set(groupId, address)
          return await work(await connections.get(address))
        } catch (error) {
          if (!canPass(error)) throw error
          coordinators.delete(groupId)
          if (isLost(error) || Date.now() > until) throw error
          await sleep(100, { keepAlive: true })
        }
      }
    },
    async partitions(topic) {
      const { topics } = await metadata([topic])
      const found = topics.find(({ name }) => name === topic)
      if (found === undefined) throw protocolError(3)
      // Those of a partition are told by its leader that is missing.
      if (found.errorCode !== 0) throw protocolError(found.errorCode)
      return found.partitions.map(({ partitionIndex, leaderId }) => ({
        partitionId: partitionIndex,
        leader: leaderId,
      }))
    },
    dropCoordinator(groupId) {
      const address = coordinators.get(groupId)
      if (address !== undefined) connections.drop(address)
    },
    close: () => connections.close(),
  }
}

function addressOf(broker: string): Address {
  const at = broker.lastIndexOf(':')
  const host = broker.slice(0, at).replace(/^\[|\]$/g, '')
  return { host, port: Number(broker.slice(at + 1)) }
}

function rotated<T>(values: readonly T[], by: number): readonly T[] {
  const at = by % values.length
  return [...values.slice(at), ...values.slice(0, at)]
}

function manyOf(failures: readonly unknown[]): Error {
  const texts = failures.map((one) => (one instanceof Error ? one.message : String(one)))
  return Object.assign(new AggregateError(failures, [...new Set(texts)].join('; ')), {
    code: 'PLT_KFK_NETWORK',
  })
}
