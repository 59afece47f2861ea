import type { Component } from '../component/component.ts'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const

export type LogLevel = (typeof logLevels)[number]

/** Named values of a log line. An `Error` under `error` is written with code, message and stack. */
export type LogFields = Readonly<Record<string, unknown>>

/** Structured logs. Writing never throws and never blocks the caller. */
export interface Logger extends Component {
  readonly contract: 'logger/0'
  /** Lines below it are dropped. May be changed while running. */
  level: LogLevel
  enabled(level: LogLevel): boolean
  log(level: LogLevel, message: string, fields?: LogFields): void
  /** A logger that adds `fields` to each line; it shares level and output with this one. */
  child(fields: LogFields): Logger
}
