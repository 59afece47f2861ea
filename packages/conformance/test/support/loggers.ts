import type { LoggedLine, LoggerSuiteOptions } from '@micro/conformance/logger'
import {
  consoleLogger,
  type Logger,
  type LogLevel,
  type MemoryLogger,
  memoryLogger,
} from '@micro/core/logger'

export const memoryLoggers: LoggerSuiteOptions = {
  name: 'memory',
  create: () => memoryLogger(),
  read: (logger) => (logger as MemoryLogger).lines,
}

const written = new WeakMap<Logger, string[]>()

/** The console's, with its lines parsed as whoever collects them does. */
export const consoleLoggers: LoggerSuiteOptions = {
  name: 'console',
  create() {
    const lines: string[] = []
    const logger = consoleLogger({ write: (line) => lines.push(line) })
    written.set(logger, lines)
    return logger
  },
  read: (logger) =>
    (written.get(logger) ?? []).map((line): LoggedLine => {
      if (line.includes('\n')) throw new Error('a line has a line break')
      const { level, message, ...fields } = JSON.parse(line) as Record<string, unknown>
      return { level: level as LogLevel, message: String(message), fields }
    }),
}
