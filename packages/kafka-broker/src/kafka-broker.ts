import {
  type Broker,
  type BrokerMessage,
  checkBatch,
  checkGroup,
  checkMessages,
  checkTopic,
} from '@micro/core/broker'
import { abortable, createLifecycle, type Health } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { KafkaClient, KafkaMessage } from './client.ts'
import { createMetrics } from './metrics.ts'
import type { KafkaSettings } from './options.ts'
import { createPublisher } from './publisher.ts'
import { type KafkaSubscription, openSubscription } from './subscription.ts'
import { createTopics } from './topics.ts'

const label = 'broker "kafka"'

/** Topics of Apache Kafka, over any client. Does nothing before the first call. */
export function createKafkaBroker(settings: KafkaSettings, client: KafkaClient): Broker {
  const topics = createTopics(settings, client)
  const publisher = createPublisher(settings, client, topics)
  const metrics = createMetrics(settings.meter)
  const subscriptions = new Set<KafkaSubscription>()
  const lifecycle = createLifecycle({
    label,
    async close() {
      await Promise.all([...subscriptions].map((subscription) => subscription.close()))
      await publisher.close()
      await topics.close()
      metrics.close()
    },
  })
  const refuseClosed = (): void => {
    if (lifecycle.closed) throw new MicroError('failed_precondition', `${label} is closed`)
  }
  const nameOf = (topic: string): string => {
    checkTopic(topic)
    const name = settings.prefix + topic
    if (settings.prefix !== '') checkTopic(name, 'topic, with option namespace')
    return name
  }

  return {
    name: 'kafka',
    contract: 'broker/0',
    supports: {
      durable: true,
      retained: true,
      redelivery: true,
      deliveryCount: false,
      ordering: true,
    },
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health(): Health {
      if (lifecycle.closed) return { status: 'down' }
      for (const { problem } of [publisher, ...subscriptions]) {
        if (problem !== undefined) return { status: 'degraded', detail: problem.detail }
      }
      return { status: 'up' }
    },

    async publish(topic, messages, publishOptions) {
      const name = nameOf(topic)
      checkMessages(messages)
      const records = messages.map((message, at) => toRecord(message, at, settings.maxMessageSize))
      await lifecycle.connect(publishOptions)
      refuseClosed()
      await runInRoot(() => publisher.publish(name, records, publishOptions?.signal))
    },

    async subscribe(topic, deliver, subscribeOptions = {}) {
      const { group, batch = 1, signal } = subscribeOptions
      const name = nameOf(topic)
      checkGroup(group)
      checkBatch(batch)
      await lifecycle.connect(subscribeOptions)
      // A close may have come in between, and would not find this subscription.
      refuseClosed()
      const groupId =
        group === undefined ? undefined : settings.groupId(settings.prefix + group, topic)
      const subscription = runInRoot(() =>
        openSubscription({
          settings,
          client,
          topics,
          metrics,
          topic: name,
          groupId,
          deliver,
          batch,
          onClosed: () => subscriptions.delete(subscription),
        }),
      )
      subscriptions.add(subscription)
      try {
        await abortable(subscription.opened, signal)
      } catch (error) {
        // In its own time: who has given up does not wait for it.
        subscription.close().catch(() => undefined)
        throw error
      }
      return subscription
    },
  }
}

function toRecord({ body, key, headers }: BrokerMessage, at: number, most: number): KafkaMessage {
  if (body.length > most) {
    throw new MicroError(
      'resource_exhausted',
      `messages[${at}]: ${body.length} bytes; this broker takes at most ${most} (option maxMessageSize)`,
    )
  }
  return {
    // Copied, since it may be sent after its publisher has given up, and uses the bytes anew.
    value: Buffer.from(body),
    key: key === undefined ? null : Buffer.from(key),
    headers: { ...headers },
    partition: 0,
  }
}
