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
      try {
        write(at, message, {
          ...bound,
          ...(trace === undefined ? {} : { trace_id: trace.traceId, span_id: trace.spanId }),
          ...fields,
        })
      } catch {
        // A log line must never fail the work that it tells of, and there is nowhere left to say so.
      }
    },
    child: (fields) => make({ ...bound, ...fields }),
  })
  return make({})
}
