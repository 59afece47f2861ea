import { type Code, MicroError } from '@micro/core/errors'

type Codes = Readonly<Record<string, readonly [code: Code, fix: string]>>

/** By Kafka's own names. */
const kafkaCodes: Codes = {
  TOPIC_AUTHORIZATION_FAILED: ['permission_denied', 'grant this user the topic'],
  GROUP_AUTHORIZATION_FAILED: ['permission_denied', 'grant this user READ on the group'],
  CLUSTER_AUTHORIZATION_FAILED: ['permission_denied', 'grant this user the operation'],
  SASL_AUTHENTICATION_FAILED: ['unauthenticated', 'check option sasl'],
  UNSUPPORTED_SASL_MECHANISM: ['unauthenticated', 'check option sasl.mechanism'],
  ILLEGAL_SASL_STATE: ['unauthenticated', 'give option sasl'],
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
}

/** Reads the errors of a client library. */
export interface KafkaErrors {
  /** What went wrong in Kafka or on the way to it, and what to do. What is not known can be tried again. */
  toMicroError(error: unknown, doing: string): MicroError
  /** Of all errors that it stands for, whether one is of this type. */
  isOfType(error: unknown, type: string): boolean
}

/**
 * @param namesOf What the library calls one error; Kafka's name among them, if it has one.
 * @param more The library's own errors, by such a name.
 */
export function createKafkaErrors(
  namesOf: (error: object) => readonly unknown[],
  more: Codes,
): KafkaErrors {
  const codes = new Map(Object.entries({ ...kafkaCodes, ...more }))
  return {
    toMicroError(error, doing) {
      if (MicroError.is(error)) return error
      for (const one of chainOf(error)) {
        for (const name of namesOf(one)) {
          const found = typeof name === 'string' ? codes.get(name) : undefined
          if (found === undefined) continue
          const [code, fix] = found
          return new MicroError(code, `${doing}: ${messageOf(one)}; ${fix}`, { cause: error })
        }
      }
      return new MicroError('unavailable', `${doing}: ${messageOf(error)}`, { cause: error })
    },
    isOfType: (error, type) => chainOf(error).some((one) => namesOf(one).includes(type)),
  }
}

export function unavailable(why: string): MicroError {
  return new MicroError('unavailable', why)
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
