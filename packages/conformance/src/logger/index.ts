import type { Logger } from '@micro/core/logger'
import { plainLifecycleTrait } from '../kit/plain-lifecycle.ts'
import { runSuite } from '../kit/run-suite.ts'
import type { Trait } from '../kit/trait.ts'
import { fields } from './fields.ts'
import { levels } from './levels.ts'
import type { LoggerSuiteOptions } from './options.ts'

export type { LoggedLine, LoggerSuiteOptions } from './options.ts'

/** What every `Logger` does, by trait. */
export function loggerTraits({ read }: Pick<LoggerSuiteOptions, 'read'>): readonly Trait<Logger>[] {
  return [levels(read), fields(read), plainLifecycleTrait((logger) => logger.log('error', 'used'))]
}

/** Proves that a logger keeps the contract `logger/0`. Call it at the top of a test file. */
export function loggerConformance(options: LoggerSuiteOptions): void {
  runSuite('logger', loggerTraits(options), options)
}
