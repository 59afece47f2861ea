import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerInfo,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
  jetstreamManager,
  type StreamInfo,
} from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { type Connection, longestAnswer } from './connection.ts'
import { consumerNotFound, isApiError, mismatch, streamNotFound } from './errors.ts'
import type { Names } from './names.ts'
import type { Settings } from './options.ts'

/** What a group reads a lane by, or all of them. */
export interface ConsumerPlan {
  readonly name: string
  readonly filter: string
  readonly maxAckPending: number
  /** Milliseconds without a subscription after which it is removed; `undefined` for never. */
  readonly inactive: number | undefined
}

export interface Streams {
  /**
   * Makes the stream of a topic, or finds that it is as it must be. Resolves with when it was made.
   *
   * @throws if it is not.
   */
  ensure(nats: NatsConnection, topic: string): Promise<string>
  /** The same for a consumer, from the message after `after` on, or from now on. */
  consumer(
    nats: NatsConnection,
    topic: string,
    plan: ConsumerPlan,
    after?: number,
  ): Promise<ConsumerInfo>
  info(nats: NatsConnection, topic: string, consumer: string): Promise<ConsumerInfo>
  remove(nats: NatsConnection, topic: string, consumer: string): Promise<void>
}

const nanosecond = 1_000_000

export function createStreams(connection: Connection, settings: Settings, names: Names): Streams {
  const { lanes, stream: wanted, timeout, domain, ackWait } = settings
  const description = `topic of @micro/plugin-broker-nats with ${lanes} lanes`
  const { whileUp } = connection
  const managers = new WeakMap<NatsConnection, Promise<JetStreamManager>>()
  const managerOf = (nats: NatsConnection): Promise<JetStreamManager> => {
    const known = managers.get(nats)
    if (known !== undefined) return known
    const made = jetstreamManager(nats, {
      timeout: Math.min(timeout, longestAnswer),
      checkAPI: false,
      ...(domain === undefined ? {} : { domain }),
    })
    managers.set(nats, made)
    return made
  }
  const checkStream = (topic: string, { config, created }: StreamInfo): string => {
    const subjects = names.subjects(topic)
    const wrong = [
      ...(config.subjects.length === 1 && config.subjects[0] === subjects
        ? []
        : [`its subjects are ${config.subjects.join(', ')}, not ${subjects}`]),
      ...(config.description === description
        ? []
        : [`its description is ${JSON.stringify(config.description ?? '')}, not "${description}"`]),
      ...(config.retention === wanted.retention
        ? []
        : [`its retention is ${config.retention}, not ${wanted.retention}`]),
    ]
    if (wrong.length > 0) throw mismatch('stream', config.name, wrong)
    return created
  }
  const configOf = ({ name, filter, maxAckPending, inactive }: ConsumerPlan) => ({
    name,
    ...(inactive === undefined
      ? { durable_name: name }
      : { inactive_threshold: inactive * nanosecond }),
    filter_subject: filter,
    ack_policy: AckPolicy.Explicit,
    ack_wait: ackWait * nanosecond,
    max_ack_pending: maxAckPending,
    max_deliver: -1,
  })
  const startOf = async (manager: JetStreamManager, stream: string, after: number | undefined) => {
    if (after === undefined) return { deliver_policy: DeliverPolicy.New }
    const { state } = await whileUp(manager.streams.info(stream))
    // A stream that has been made anew counts from one again.
    return after > state.last_seq
      ? { deliver_policy: DeliverPolicy.All }
      : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: after + 1 }
  }
  const checkConsumer = (plan: ConsumerPlan, info: ConsumerInfo): ConsumerInfo => {
    const is: Partial<ConsumerConfig> = info.config
    const must: Partial<ConsumerConfig> = configOf(plan)
    const fields = ['filter_subject', 'ack_policy', 'ack_wait', 'max_ack_pending'] as const
    const wrong = fields
      .filter((field) => is[field] !== must[field])
      .map((field) => `its ${field} is ${is[field]}, not ${must[field]}`)
    if (wrong.length > 0) throw mismatch('consumer', info.name, wrong)
    return info
  }

  return {
    async ensure(nats, topic) {
      const manager = await managerOf(nats)
      const name = names.stream(topic)
      try {
        return checkStream(topic, await whileUp(manager.streams.info(name)))
      } catch (error) {
        if (!isApiError(error, streamNotFound)) throw error
      }
      const config = {
        name,
        description,
        subjects: [names.subjects(topic)],
        retention: wanted.retention,
        storage: wanted.storage,
        num_replicas: wanted.replicas,
        max_age: wanted.maxAge * nanosecond,
        max_bytes: wanted.maxBytes === 0 ? -1 : wanted.maxBytes,
        discard: DiscardPolicy.New,
      }
      try {
        return checkStream(topic, await whileUp(manager.streams.add(config)))
      } catch (error) {
        // Another may have made it meanwhile, in its own way.
        const found = await whileUp(manager.streams.info(name)).catch(() => undefined)
        if (found === undefined) throw error
        return checkStream(topic, found)
      }
    },
    async consumer(nats, topic, plan, after) {
      const { consumers } = await managerOf(nats)
      const stream = names.stream(topic)
      try {
        return checkConsumer(plan, await whileUp(consumers.info(stream, plan.name)))
      } catch (error) {
        if (!isApiError(error, consumerNotFound)) throw error
      }
      try {
        const start = await startOf(await managerOf(nats), stream, after)
        return await whileUp(consumers.add(stream, { ...configOf(plan), ...start }))
      } catch (error) {
        const found = await whileUp(consumers.info(stream, plan.name)).catch(() => undefined)
        if (found === undefined) throw error
        return checkConsumer(plan, found)
      }
    },
    async info(nats, topic, consumer) {
      const { consumers } = await managerOf(nats)
      return await whileUp(consumers.info(names.stream(topic), consumer))
    },
    async remove(nats, topic, consumer) {
      const { consumers } = await managerOf(nats)
      await whileUp(consumers.delete(names.stream(topic), consumer))
    },
  }
}
