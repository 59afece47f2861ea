import { MicroError } from '../errors/micro-error.ts'
import type { Meter } from '../meter/meter.ts'
import type { Tracer } from '../tracer/tracer.ts'
import type { Middleware } from './middleware.ts'
import { whenDone } from './when-done.ts'

export interface TelemetryOptions {
  readonly tracer?: Tracer | undefined
  readonly meter?: Meter | undefined
}

/**
 * A span and a duration per call, by OpenTelemetry's semantic conventions for RPC. Installed by the
 * service on both sides when it is given a tracer or a meter.
 */
export function telemetry(options: TelemetryOptions): Middleware {
  const { tracer, meter } = options
  const unit = { unit: 's', description: 'Duration of calls' }
  const durations = {
    client: meter?.histogram('rpc.client.duration', unit),
    server: meter?.histogram('rpc.server.duration', unit),
  }
  return (call, next) => {
    const started = performance.now()
    const attributes = {
      'rpc.system': 'micro',
      'rpc.service': call.service,
      'rpc.method': call.method,
    }
    const span = tracer?.start(`${call.service}/${call.method}`, {
      kind: call.side,
      parent: call.context.trace,
      attributes,
    })
    if (span !== undefined) call.context.trace = span.context
    const done = (error: unknown, messages: number): void => {
      const code = error === undefined ? 'ok' : MicroError.is(error) ? error.code : 'unknown'
      durations[call.side]?.record((performance.now() - started) / 1_000, {
        ...attributes,
        'rpc.code': code,
      })
      span?.set('rpc.code', code)
      span?.set('rpc.messages', messages)
      span?.end(error)
    }
    try {
      return whenDone(next(call), done)
    } catch (error) {
      done(error, 0)
      throw error
    }
  }
}
