import { type Logger, logLevels } from '@micro/core/logger'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import type { ReadLines } from './options.ts'

export function levels(read: ReadLines): Trait<Logger> {
  return {
    name: 'levels',
    cases: [
      {
        name: 'writes each level as that, in order',
        run: async (harness) => {
          const logger = await harness.open()
          logger.level = 'trace'
          for (const level of logLevels) logger.log(level, `at ${level}`)
          const lines = await read(logger)
          expect(lines.map(({ level }) => level)).toEqual(logLevels)
          expect(lines.map(({ message }) => message)).toEqual(logLevels.map((one) => `at ${one}`))
        },
      },
      {
        name: 'drops what is below its level, and tells beforehand',
        run: async (harness) => {
          for (const [at, level] of logLevels.entries()) {
            const logger = await harness.open()
            logger.level = level
            const written = logLevels.slice(at)
            expect(logLevels.filter((one) => logger.enabled(one))).toEqual(written)
            for (const one of logLevels) logger.log(one, one)
            expect((await read(logger)).map(({ message }) => message)).toEqual(written)
          }
        },
      },
      {
        name: 'changes its level while running, for its children too, and by them',
        run: async (harness) => {
          const logger = await harness.open()
          const child = logger.child({ a: 1 })
          logger.level = 'error'
          child.log('info', 'dropped')
          child.level = 'debug'
          expect(logger.level).toBe('debug')
          logger.log('debug', 'by the parent')
          child.child({}).log('debug', 'by a grandchild')
          const lines = await read(logger)
          expect(lines.map(({ message }) => message)).toEqual(['by the parent', 'by a grandchild'])
        },
      },
    ],
  }
}
