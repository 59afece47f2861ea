import { createKafkaErrors, type KafkaErrors } from '@micro/kafka-broker'
import { ProtocolError, protocolErrorsCodesById, ResponseError } from '@platformatic/kafka'

/** Those of Kafka have its name as `apiId`, those of the library have theirs as `code`. */
const read: KafkaErrors = createKafkaErrors(
  (error) => {
    const { apiId, code } = error as { apiId?: unknown; code?: unknown }
    return [apiId, code]
  },
  {
    PLT_KFK_AUTHENTICATION: ['unauthenticated', 'check option sasl'],
    PLT_KFK_UNSUPPORTED_COMPRESSION: ['unimplemented', 'this Node cannot read what was published'],
    PLT_KFK_UNSUPPORTED_API: ['unimplemented', 'Kafka 3.0 or later is needed'],
  },
)

export const errors: KafkaErrors = {
  isOfType: read.isOfType,
  toMicroError(error, doing) {
    if (!(error instanceof ResponseError)) return read.toMicroError(error, doing)
    // It says no more than that some part of an answer says something.
    const found = error.errors.map((part: unknown) => read.toMicroError(part, doing))
    return (
      found.find(({ code }) => code !== 'unavailable') ??
      found[0] ??
      read.toMicroError(error, doing)
    )
  },
}

/** Passes: another broker, or the same one in a while, can do it. */
const passing = [
  'PLT_KFK_NETWORK',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'REQUEST_TIMED_OUT',
]

export function canPass(error: unknown): boolean {
  if (errors.isOfType(error, 'PLT_KFK_AUTHENTICATION')) return false
  return passing.some((type) => errors.isOfType(error, type))
}

/** No answer came: what was asked may have been done. */
export function isLost(error: unknown): boolean {
  return errors.isOfType(error, 'PLT_KFK_NETWORK')
}

/** Kafka's error of this number, also one that the library does not know. */
export function protocolError(code: number, message: string | null = null): Error {
  if (!(code in protocolErrorsCodesById)) return new Error(`error ${code} of Kafka`)
  const error = new ProtocolError(code, message)
  // What Kafka itself says is more to the point.
  if (message !== null && message !== '') error.message = message
  return error
}

/**
 * Many answers are of several parts, and the library rejects with all of them if one says that it
 * failed. Here they are answers.
 */
export async function partsOf<T>(request: Promise<T>): Promise<T> {
  try {
    return await request
  } catch (error) {
    const { response } = error as { response?: T }
    if (response === undefined) throw error
    return response
  }
}
