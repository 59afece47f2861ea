import { isPromise } from '../component/promises.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Call, Middleware } from './middleware.ts'

export interface RecoveryOptions {
  /**
   * Turns an application's error into the one to answer with; `undefined` leaves it as it is, which
   * ends as `internal` without its message.
   */
  readonly map: (error: unknown, call: Call) => MicroError | undefined
}

/**
 * Server middleware that translates what handlers throw, for unary calls and streams. Without it a
 * plain error is still caught, logged and answered as `internal`.
 */
export function recovery(options: RecoveryOptions): Middleware {
  const translate = (error: unknown, call: Call): unknown =>
    MicroError.is(error) ? error : (options.map(error, call) ?? error)
  const guard = (value: unknown, call: Call): unknown =>
    typeof value === 'object' && value !== null && Symbol.asyncIterator in value
      ? guardStream(value as AsyncIterable<unknown>, (error) => translate(error, call))
      : value
  return (call, next) => {
    try {
      const result = next(call)
      if (!isPromise(result)) return guard(result, call)
      return result.then(
        (value) => guard(value, call),
        (error: unknown) => {
          throw translate(error, call)
        },
      )
    } catch (error) {
      throw translate(error, call)
    }
  }
}

async function* guardStream(
  source: AsyncIterable<unknown>,
  translate: (error: unknown) => unknown,
): AsyncGenerator<unknown> {
  try {
    yield* source
  } catch (error) {
    throw translate(error)
  }
}
