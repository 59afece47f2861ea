import { MicroError } from '../errors/micro-error.ts'
import type { Logger, LogLevel } from '../logger/logger.ts'
import type { Middleware } from './middleware.ts'
import { whenDone } from './when-done.ts'

export interface AccessLogOptions {
  readonly logger: Logger
  /** Level of calls that ended well; failures of the caller are `info`, those of the server `error`. @default 'info' */
  readonly level?: LogLevel
}

const serverFaults = new Set(['unknown', 'internal', 'data_loss', 'unimplemented'])

/** One line per call, when it has ended. Names follow OpenTelemetry's RPC conventions. */
export function accessLog(options: AccessLogOptions): Middleware {
  const { logger } = options
  const level = options.level ?? 'info'
  return (call, next) => {
    const started = performance.now()
    const log = (error: unknown, messages: number): void => {
      const code = error === undefined ? 'ok' : MicroError.is(error) ? error.code : 'unknown'
      const at = error === undefined ? level : serverFaults.has(code) ? 'error' : 'info'
      logger.log(at, 'call', {
        'rpc.service': call.service,
        'rpc.method': call.method,
        'rpc.side': call.side,
        'rpc.code': code,
        'rpc.messages': messages,
        'client.address': call.peer?.address,
        duration_ms: Math.round((performance.now() - started) * 1_000) / 1_000,
        ...(error === undefined
          ? {}
          : { error: error instanceof Error ? error.message : String(error) }),
      })
    }
    try {
      return whenDone(next(call), log)
    } catch (error) {
      log(error, 0)
      throw error
    }
  }
}
