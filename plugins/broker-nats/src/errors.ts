import { type Code, MicroError } from '@micro/core/errors'
import { JetStreamApiError } from '@nats-io/jetstream'
import { errors } from '@nats-io/transport-node'

/** Errors of JetStream that have a meaning of their own, by its numbers. */
const apiCodes: Readonly<Record<number, Code>> = {
  // No room: storage, memory, bytes or messages of the stream, size of a message.
  10023: 'resource_exhausted',
  10026: 'resource_exhausted',
  10028: 'resource_exhausted',
  10047: 'resource_exhausted',
  10054: 'resource_exhausted',
  10077: 'resource_exhausted',
  // It is starting, or chooses a leader.
  10008: 'unavailable',
  10009: 'unavailable',
  // Not for this account, or not at all.
  10035: 'failed_precondition',
  10039: 'failed_precondition',
  10076: 'failed_precondition',
}

export const consumerNotFound = 10_014
export const streamNotFound = 10_059

/** As NATS or the connection to it has failed. Whatever is `unavailable` may work later. */
export function fromNats(error: unknown): MicroError {
  if (MicroError.is(error)) return error
  if (error instanceof JetStreamApiError) return fromApi(error.code, error.message, error)
  const causes = [error, causeOf(error), causeOf(causeOf(error))]
  const text = String((error as { message?: unknown }).message ?? error)
  for (const cause of causes) {
    if (cause instanceof errors.AuthorizationError) return make('unauthenticated', text, error)
    if (cause instanceof errors.UserAuthenticationExpiredError) {
      return make('unauthenticated', text, error)
    }
    if (cause instanceof errors.PermissionViolationError) {
      return make('permission_denied', text, error)
    }
    if (cause instanceof errors.InvalidArgumentError && /max_payload/.test(text)) {
      return make('resource_exhausted', text, error)
    }
    if (cause instanceof errors.NoRespondersError) {
      return make('unavailable', 'nobody answers for JetStream', error)
    }
    if (cause instanceof errors.TimeoutError) return make('unavailable', 'no answer in time', error)
  }
  return new MicroError('unavailable', `NATS cannot be reached: ${text}`, { cause: error })
}

/** What JetStream answers with. */
export function fromApi(number: number, description: string, cause?: unknown): MicroError {
  return make(apiCodes[number] ?? 'internal', `${description} (${number})`, cause)
}

/** Whether JetStream has refused something by this number. */
export function isApiError(error: unknown, number: number): boolean {
  return error instanceof JetStreamApiError && error.code === number
}

export function mismatch(what: string, name: string, wrong: readonly string[]): MicroError {
  return new MicroError(
    'failed_precondition',
    `${what} ${name} is not as it must be here: ${wrong.join('; ')}; ` +
      `give the same options everywhere, or delete the ${what}`,
  )
}

export function tooLarge(bytes: number, most: number): MicroError {
  return new MicroError(
    'resource_exhausted',
    `message: ${bytes} bytes; this broker takes at most ${most} (option maxMessageSize, and the server's max_payload)`,
  )
}

function causeOf(error: unknown): unknown {
  return (error as { cause?: unknown } | undefined)?.cause
}

function make(code: Code, text: string, cause: unknown): MicroError {
  return new MicroError(code, `NATS: ${text}`, { cause })
}
