import { staticComponent } from '../component/static-component.ts'
import { currentContext } from '../context/ambient.ts'
import { type LogFields, type Logger, type LogLevel, logLevels } from './logger.ts'

const ranks: Readonly<Record<LogLevel, number>> = Object.fromEntries(
  logLevels.map((level, rank) => [level, rank]),
) as Record<LogLevel, number>

/** Level, children and trace ids, over any `write`. A `write` that throws is not heard of. */
export function leveledLogger(
  name: string,
  level: LogLevel,
  write: (level: LogLevel, message: string, fields: LogFields) => void,
): Logger {
  const shared = { level }
  const make = (bound: LogFields): Logger => ({
    ...staticComponent(name, 'logger/0'),
    get level() {
      return shared.level
    },
    set level(next) {
      shared.level = next
    },
    enabled: (at) => ranks[at] >= ranks[shared.level],
    log(at, message, fields) {
      if (ranks[at] < ranks[shared.level]) return
      const { trace } = currentContext()
      const traced = trace === undefined ? {} : { trace_id: trace.traceId, span_id: trace.spanId }
      try {
        write(at, message, { ...bound, ...traced, ...fields })
      } catch (error) {
        // A field that cannot be written must not cost the line, nor a line the work that it tells of.
        withoutThrowing(() => write(at, message, { ...traced, 'log.error': String(error) }))
      }
    },
    child: (fields) => make({ ...bound, ...fields }),
  })
  return make({})
}

function withoutThrowing(work: () => void): void {
  try {
    work()
  } catch {
    // There is nowhere left to say so.
  }
}
