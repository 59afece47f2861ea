import { leveledLogger } from './leveled-logger.ts'
import type { Logger, LogLevel } from './logger.ts'

export interface ConsoleLoggerOptions {
  /** @default 'info' */
  readonly level?: LogLevel
  /** Where lines go, each without its line end. @default standard error, by `console.error` */
  readonly write?: (line: string) => void
}

/** One JSON object per line: `time` (ISO 8601), `level`, `message`, then the fields. */
export function consoleLogger(options: ConsoleLoggerOptions = {}): Logger {
  const write = options.write ?? ((line: string) => console.error(line))
  return leveledLogger('console', options.level ?? 'info', (level, message, fields) => {
    const own = { time: new Date().toISOString(), level, message }
    // Twice: first for their place in the line, then so that no field can take it.
    write(JSON.stringify({ ...own, ...fields, ...own }, writable()))
  })
}

/** A replacer for what JSON cannot hold as it is: errors, big integers, cycles. */
function writable(): (this: unknown, key: string, value: unknown) => unknown {
  const above: unknown[] = []
  return function (_key, value) {
    if (typeof value === 'bigint') return value.toString()
    if (typeof value !== 'object' || value === null) return value
    // `this` holds the value: what is no longer above it has been left.
    while (above.length > 0 && above.at(-1) !== this) above.pop()
    if (above.includes(value)) return '[circular]'
    above.push(value)
    return value instanceof Error ? describeError(value) : value
  }
}

function describeError(error: Error): Record<string, unknown> {
  const described: Record<string, unknown> = {
    name: error.name,
    message: error.message,
    stack: error.stack,
  }
  if ('code' in error) described['code'] = error.code
  if (error.cause !== undefined) described['cause'] = error.cause
  return described
}
