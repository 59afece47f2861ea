import { type Code, MicroError } from '@micro/core/errors'

const codes: Readonly<Record<string, readonly [code: Code, fix: string]>> = {
  TOPIC_AUTHORIZATION_FAILED: ['permission_denied', 'grant this user the topic'],
  GROUP_AUTHORIZATION_FAILED: ['permission_denied', 'grant this user READ on the group'],
  CLUSTER_AUTHORIZATION_FAILED: ['permission_denied', 'grant this user the operation'],
  SASL_AUTHENTICATION_FAILED: ['unauthenticated', 'check option sasl'],
  UNSUPPORTED_SASL_MECHANISM: ['unauthenticated', 'check option sasl.mechanism'],
  ILLEGAL_SASL_STATE: ['unauthenticated', 'give option sasl'],
  KafkaJSSASLAuthenticationError: ['unauthenticated', 'check option sasl'],
  MESSAGE_TOO_LARGE: ['resource_exhausted', 'raise max.message.bytes of the topic'],
  RECORD_LIST_TOO_LARGE: ['resource_exhausted', 'raise segment.bytes of the topic'],
  UNKNOWN_TOPIC_OR_PARTITION: ['not_found', 'create the topic, or give option topics'],
  INVALID_TOPIC_EXCEPTION: ['invalid_argument', 'names that differ in "." and "_" only collide'],
  INVALID_PARTITIONS: ['invalid_argument', 'check option topics.partitions'],
  // Also while some of them are away, so it can pass.
  INVALID_REPLICATION_FACTOR: [
    'unavailable',
    'fewer brokers are there than option topics.replication asks for',
  ],
  INVALID_CONFIG: ['invalid_argument', 'check option topics.config'],
  POLICY_VIOLATION: ['failed_precondition', 'this Kafka does not allow such a topic'],
  INVALID_SESSION_TIMEOUT: ['invalid_argument', 'this Kafka wants another option sessionTimeout'],
  INCONSISTENT_GROUP_PROTOCOL: [
    'failed_precondition',
    'the group has members of another kind; give option groupId',
  ],
  KafkaJSNotImplemented: ['unimplemented', 'kafkajs cannot do what this needs'],
}

/** What went wrong in Kafka or on the way to it, and what to do. What is not known can be tried again. */
export function toMicroError(error: unknown, doing: string): MicroError {
  if (MicroError.is(error)) return error
  for (const one of chainOf(error)) {
    const { type, name } = one as { type?: unknown; name?: unknown }
    for (const key of [type, name]) {
      const found = typeof key === 'string' && Object.hasOwn(codes, key) ? codes[key] : undefined
      if (found === undefined) continue
      const [code, fix] = found
      return new MicroError(code, `${doing}: ${messageOf(one)}; ${fix}`, { cause: error })
    }
  }
  return new MicroError('unavailable', `${doing}: ${messageOf(error)}`, { cause: error })
}

export function unavailable(why: string): MicroError {
  return new MicroError('unavailable', why)
}

/** Of all errors that it stands for, whether one is of this type. */
export function isOfType(error: unknown, type: string): boolean {
  return chainOf(error).some((one) => (one as { type?: unknown }).type === type)
}

/** The error, what caused it, and those that it collects. */
function chainOf(error: unknown): object[] {
  const found: object[] = []
  const visit = (one: unknown): void => {
    if (typeof one !== 'object' || one === null || found.includes(one)) return
    found.push(one)
    const { cause, errors } = one as { cause?: unknown; errors?: unknown }
    if (Array.isArray(errors)) for (const inner of errors) visit(inner)
    visit(cause)
  }
  visit(error)
  return found
}

function messageOf(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : String(error)
}
