import { createLifecycle } from '../component/lifecycle.ts'
import { abortable } from '../component/promises.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Broker, BrokerSubscription } from './broker.ts'
import { checkBatch, checkGroup, checkMessages, checkTopic } from './broker-rules.ts'
import {
  type Member,
  MemoryBrokerBackend,
  type MemoryBrokerLimits,
} from './memory-broker-backend.ts'

export interface MemoryBrokerOptions {
  /** Share one between brokers to let them reach each other. @default its own */
  readonly backend?: MemoryBrokerBackend
  /** Of its own backend. */
  readonly limits?: MemoryBrokerLimits
  /** Aborting it cuts this broker off from its backend as a crash would; for tests. */
  readonly crash?: AbortSignal
}

/** Topics within this process: groups, redelivery and order by key as of a real broker. */
export function memoryBroker(options: MemoryBrokerOptions = {}): Broker {
  const backend = options.backend ?? new MemoryBrokerBackend(options.limits)
  const subscriptions = new Set<BrokerSubscription>()
  const lifecycle = createLifecycle({
    label: 'broker "memory"',
    close: async () => {
      await Promise.all([...subscriptions].map((subscription) => subscription.close()))
    },
  })

  return {
    name: 'memory',
    contract: 'broker/0',
    supports: {
      durable: false,
      retained: true,
      redelivery: true,
      deliveryCount: true,
      ordering: true,
    },
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health: () => ({ status: lifecycle.closed ? 'down' : 'up' }),

    async publish(topic, messages, publishOptions) {
      checkTopic(topic)
      checkMessages(messages)
      await lifecycle.connect(publishOptions)
      backend.publish(topic, messages)
    },

    async subscribe(topic, deliver, subscribeOptions = {}) {
      const { group, batch = 1 } = subscribeOptions
      checkTopic(topic)
      checkGroup(group)
      checkBatch(batch)
      await lifecycle.connect(subscribeOptions)
      // A close may have come in between, and would not find this subscription.
      if (lifecycle.closed) throw new MicroError('failed_precondition', 'broker "memory" is closed')
      const member: Member = {
        deliver,
        batch,
        paused: false,
        cutOff: false,
        running: 0,
        onIdle: undefined,
      }
      const leave = backend.join(topic, group, member)
      const onCrash = (): void => {
        backend.cutOff(topic, member)
        subscriptions.delete(subscription)
        leave()
      }
      let closing: Promise<void> | undefined
      const close = async (): Promise<void> => {
        member.paused = true
        options.crash?.removeEventListener('abort', onCrash)
        if (member.running > 0 && !member.cutOff) {
          await new Promise<void>((resolve) => {
            member.onIdle = resolve
          })
        }
        leave()
        subscriptions.delete(subscription)
      }
      const subscription: BrokerSubscription = {
        pause() {
          member.paused = true
        },
        resume() {
          if (closing !== undefined) return
          member.paused = false
          backend.wake(topic)
        },
        close(closeOptions) {
          closing ??= close()
          return abortable(closing, closeOptions?.signal)
        },
        [Symbol.asyncDispose]: () => subscription.close(),
      }
      options.crash?.addEventListener('abort', onCrash, { once: true })
      subscriptions.add(subscription)
      return subscription
    },
  }
}
