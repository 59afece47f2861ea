import { createKafkaErrors, type KafkaErrors } from '@micro/kafka-broker'

/** Those of Kafka have its name as `type`, those of kafkajs have theirs as `name`. */
export const errors: KafkaErrors = createKafkaErrors(
  (error) => {
    const { type, name } = error as { type?: unknown; name?: unknown }
    return [type, name]
  },
  {
    KafkaJSSASLAuthenticationError: ['unauthenticated', 'check option sasl'],
    KafkaJSNotImplemented: ['unimplemented', 'kafkajs cannot do what this needs'],
  },
)
