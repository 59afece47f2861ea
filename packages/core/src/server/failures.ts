import { MicroError } from '../errors/micro-error.ts'
import type { Logger } from '../logger/logger.ts'
import type { ServerContext } from './server-context.ts'

/**
 * What of a failure may leave the server: a `MicroError` as it is, anything else as `internal`
 * without message or stack, which go to the log.
 */
export function toAnswer(error: unknown, context: ServerContext, logger: Logger): MicroError {
  const origin = {
    side: 'server' as const,
    phase: 'handle',
    service: context.service,
    method: context.method,
  }
  // Whatever a handler throws once its call was cancelled is a consequence of that.
  if (context.cancelled && error !== context.reason && !MicroError.is(error)) {
    return toAnswer(context.reason, context, logger)
  }
  if (MicroError.is(error)) return error.with({ processed: 'yes', origin: error.origin ?? origin })
  if (context.cancelled) {
    return new MicroError('cancelled', 'the call was cancelled', {
      cause: error,
      processed: 'yes',
      origin,
    })
  }
  logger.log('error', 'a handler failed', {
    'rpc.service': context.service,
    'rpc.method': context.method,
    error,
  })
  return new MicroError('internal', 'internal error', { processed: 'yes', origin })
}
