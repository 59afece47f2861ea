import { MicroError } from '../errors/micro-error.ts'
import type { Logger } from '../logger/logger.ts'
import type { ServerContext } from './server-context.ts'

/**
 * What of a failure may leave the server: a `MicroError` as it is, anything else as `internal`
 * without message or stack, which go to the log.
 */
export function toAnswer(error: unknown, context: ServerContext, logger: Logger): MicroError {
  if (MicroError.is(error)) return located(error, context)
  // Whatever a handler throws once its call was cancelled is a consequence of that.
  if (context.cancelled) return cancelledAnswer(context)
  logger.log('error', 'a handler failed', {
    'rpc.service': context.service,
    'rpc.method': context.method,
    error,
  })
  return located(new MicroError('internal', 'internal error'), context)
}

/** What the caller of a cancelled call is told. */
export function cancelledAnswer(context: ServerContext): MicroError {
  const { reason } = context
  return located(
    MicroError.is(reason)
      ? reason
      : new MicroError('cancelled', 'the call was cancelled', { cause: reason }),
    context,
  )
}

function located(error: MicroError, { service, method }: ServerContext): MicroError {
  const origin = error.origin ?? { side: 'server', phase: 'handle', service, method }
  return error.with({ processed: 'yes', origin })
}
