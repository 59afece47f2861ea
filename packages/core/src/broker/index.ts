export type {
  Broker,
  BrokerMessage,
  BrokerSubscribeOptions,
  BrokerSubscription,
  BrokerSupports,
  Deliver,
  Delivery,
  Settlement,
} from './broker.ts'
export { checkBatch, checkGroup, checkMessages, checkTopic } from './broker-rules.ts'
export { createMessaging } from './create-messaging.ts'
export { type MemoryBrokerOptions, memoryBroker } from './memory-broker.ts'
export { MemoryBrokerBackend, type MemoryBrokerLimits } from './memory-broker-backend.ts'
export type {
  BatchHandler,
  BatchSubscribeOptions,
  CloudEventsOptions,
  InboxOptions,
  Message,
  MessageCall,
  MessageHandler,
  MessageMiddleware,
  Messaging,
  MessagingOptions,
  PublishOptions,
  SubscribeOptions,
  Subscription,
} from './messaging.ts'
export { defineTopic, defineUncheckedTopic, type Topic } from './topic.ts'
