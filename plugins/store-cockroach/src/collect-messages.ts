import { type Broker, type BrokerMessage, checkMessages, checkTopic } from '@micro/core/broker'
import { staticComponent } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { OutboxMessage } from './outbox-messages.ts'

/** What has been published to a broker that hands nothing on. */
export interface CollectedMessages {
  /** For `createMessaging`, which encodes and checks what it publishes. */
  readonly broker: Broker
  /** For `commit`. */
  readonly messages: readonly OutboxMessage[]
}

/** Makes messages of typed topics into messages that a commit can publish. */
export function collectMessages(): CollectedMessages {
  const messages: OutboxMessage[] = []
  const broker: Broker = {
    ...staticComponent('outbox', 'broker/0'),
    supports: {
      durable: false,
      retained: false,
      redelivery: false,
      deliveryCount: false,
      ordering: true,
    },
    async publish(topic: string, published: readonly BrokerMessage[]) {
      checkTopic(topic)
      checkMessages(published)
      for (const message of published) messages.push({ ...message, topic })
    },
    async subscribe() {
      throw new MicroError(
        'unimplemented',
        'collectMessages: subscribe to the broker of the outbox',
      )
    },
  }
  return { broker, messages }
}
