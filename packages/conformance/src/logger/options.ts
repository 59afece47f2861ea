import type { Awaitable } from '@micro/core/component'
import type { Logger, LogLevel } from '@micro/core/logger'
import { expect } from 'vitest'
import type { SuiteOptions } from '../kit/harness.ts'

/** A line as it reached the backend. */
export interface LoggedLine {
  readonly level: LogLevel
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

export interface LoggerSuiteOptions extends SuiteOptions<Logger> {
  /** All lines of a logger that `create` made, in order, once they are written. */
  readonly read: (logger: Logger) => Awaitable<readonly LoggedLine[]>
}

export type ReadLines = LoggerSuiteOptions['read']

/** The one line that there is. */
export async function onlyLine(read: ReadLines, logger: Logger): Promise<LoggedLine> {
  const lines = await read(logger)
  expect(lines.map(({ message }) => message)).toHaveLength(1)
  return lines[0] as LoggedLine
}
