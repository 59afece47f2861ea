import { leveledLogger } from './leveled-logger.ts'
import type { LogFields, Logger, LogLevel } from './logger.ts'

export interface LogLine {
  readonly level: LogLevel
  readonly message: string
  readonly fields: LogFields
}

export interface MemoryLogger extends Logger {
  /** The newest lines, oldest first. */
  readonly lines: readonly LogLine[]
}

/** Keeps the newest `limit` lines (10,000 unless told otherwise), for tests. */
export function memoryLogger(options: { level?: LogLevel; limit?: number } = {}): MemoryLogger {
  const lines: LogLine[] = []
  const limit = options.limit ?? 10_000
  const logger = leveledLogger('memory', options.level ?? 'trace', (level, message, fields) => {
    lines.push({ level, message, fields })
    if (lines.length > limit) lines.shift()
  })
  return Object.assign(logger, { lines })
}
