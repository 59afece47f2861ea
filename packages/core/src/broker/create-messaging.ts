import type { AbortOptions } from '../component/component.ts'
import { requireContract } from '../component/contract.ts'
import { type Awaitable, abortable } from '../component/promises.ts'
import { currentContext } from '../context/ambient.ts'
import { Context } from '../context/context.ts'
import { MicroError } from '../errors/micro-error.ts'
import { Metadata } from '../metadata/metadata.ts'
import { injectTrace } from '../tracer/propagation.ts'
import type { BrokerMessage } from './broker.ts'
import { checkTopic } from './broker-rules.ts'
import { createConsumer, type Inbox } from './consume.ts'
import { createEnvelopes } from './envelope.ts'
import type {
  BatchHandler,
  BatchSubscribeOptions,
  InboxOptions,
  Message,
  MessageHandler,
  Messaging,
  MessagingOptions,
  PublishOptions,
  SubscribeOptions,
  Subscription,
} from './messaging.ts'
import type { Topic } from './topic.ts'

const day = 86_400_000

/** Typed publish and subscribe over `broker`, which stays its owner's. */
export function createMessaging(options: MessagingOptions): Messaging {
  const { broker, logger, middleware = [], defaultGroup } = options
  requireContract(broker, 'broker/0')
  const envelopes = createEnvelopes(options.codecs, options.cloudEvents)

  const publish = async (
    topic: Topic,
    values: readonly unknown[],
    { key, headers, id, timeout = 5_000, signal }: PublishOptions,
  ): Promise<void> => {
    const context = new Context(currentContext(), { timeout, signal })
    try {
      const messages = await Promise.all(
        values.map(async (value) => {
          const sent = new Metadata(headers)
          if (context.trace !== undefined) injectTrace(context.trace, sent)
          const call = {
            side: 'publish' as const,
            topic: topic.name,
            key,
            headers: sent,
            context,
            value,
          }
          // Kept here, since a middleware need not return what `next` gave it.
          const passed: { message?: BrokerMessage } = {}
          const encode = async (): Promise<void> => {
            const envelope = { id: id ?? crypto.randomUUID(), key, headers: sent }
            passed.message = await envelopes.encode(topic, value, envelope)
          }
          const chain = middleware.reduceRight<() => Awaitable<unknown>>(
            (next, one) => () => one(call, next),
            encode,
          )
          await chain()
          if (passed.message !== undefined) return passed.message
          throw new MicroError(
            'internal',
            `middleware: a message of ${topic.name} was not passed on; call next, or throw`,
          )
        }),
      )
      await abortable(
        broker.publish(topic.name, messages, { signal: context.signal }),
        context.signal,
      )
    } finally {
      context.finish()
    }
  }

  const subscribe = async (
    topic: Topic,
    handle: (messages: readonly Message<unknown>[], context: Context) => unknown,
    size: number | undefined,
    given: SubscribeOptions,
  ): Promise<Subscription> => {
    const group = given.group === false ? undefined : (given.group ?? defaultGroup)
    if (group === undefined && given.group !== false) {
      throw new MicroError('invalid_argument', 'group: give a name, or false for every message')
    }
    const deadLetters = given.deadLetters ?? `${topic.name}.dead`
    if (deadLetters !== false) checkTopic(deadLetters, 'deadLetters')
    if (deadLetters === topic.name) {
      throw new MicroError('invalid_argument', 'deadLetters: the topic itself; give another one')
    }
    const consumer = createConsumer({
      topic,
      broker,
      logger,
      envelopes,
      middleware,
      group,
      handle,
      together: size !== undefined,
      concurrency: whole('concurrency', given.concurrency ?? 16, 1, 100_000),
      maxDeliveries: whole('maxDeliveries', given.maxDeliveries ?? 5, 1, 1_000_000),
      retryDelay: whole('retryDelay', given.retryDelay ?? 100, 0, 86_400_000),
      maxRetryDelay: whole('maxRetryDelay', given.maxRetryDelay ?? 30_000, 0, 86_400_000),
      timeout: whole('timeout', given.timeout ?? 30_000, 1, 86_400_000),
      deadLetters,
      // Without a group it is this subscription alone that has handled a message.
      inbox:
        given.inbox && createInbox(given.inbox, `${group ?? crypto.randomUUID()}/${topic.name}`),
    })
    const { signal } = given
    const opened = await broker.subscribe(topic.name, consumer.deliver, {
      group,
      batch: size ?? 1,
      signal,
    })
    const close = async (closeOptions?: AbortOptions): Promise<void> => {
      try {
        await opened.close(closeOptions)
      } catch (error) {
        // Given up: handlers are told, and what they had in hand comes again.
        consumer.abort(new MicroError('cancelled', 'the subscription has been closed'))
        throw error
      }
    }
    return {
      pause: () => opened.pause(),
      resume: () => opened.resume(),
      close,
      [Symbol.asyncDispose]: () => close(),
    }
  }

  return {
    publish: (topic, value, publishOptions = {}) => publish(topic, [value], publishOptions),
    publishAll: (topic, values, publishOptions = {}) => publish(topic, values, publishOptions),
    subscribe: <In, Out>(
      topic: Topic<In, Out>,
      handler: MessageHandler<Out>,
      subscribeOptions: SubscribeOptions = {},
    ) =>
      subscribe(
        topic,
        ([message], context) => handler(message as Message<Out>, context),
        undefined,
        subscribeOptions,
      ),
    subscribeBatch: <In, Out>(
      topic: Topic<In, Out>,
      handler: BatchHandler<Out>,
      { size = 100, ...subscribeOptions }: BatchSubscribeOptions = {},
    ) =>
      subscribe(
        topic,
        (messages, context) => handler(messages as readonly Message<Out>[], context),
        whole('size', size, 1, 10_000),
        subscribeOptions,
      ),
  }
}

function createInbox({ store, ttl = day }: InboxOptions, scope: string): Inbox {
  const keyOf = (id: string): string => `inbox/${scope}/${id}`
  return {
    has: async (id) => (await store.read(keyOf(id))) !== undefined,
    add: async (id) => {
      await store.write(keyOf(id), new Uint8Array(), { ttl })
    },
  }
}

function whole(field: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new MicroError(
    'invalid_argument',
    `${field}: ${value}; give a whole number from ${least} to ${most}`,
  )
}
