import { Context, rootContext, runInContext } from '@micro/core/context'
import type { Logger } from '@micro/core/logger'
import { expect } from 'vitest'
import type { Case, Trait } from '../kit/trait.ts'
import { onlyLine, type ReadLines } from './options.ts'

function cycle(): unknown {
  const inner: Record<string, unknown> = {}
  inner['self'] = inner
  return inner
}
function deep(): unknown {
  let value: unknown = 'end'
  for (let at = 0; at < 5_000; at++) value = { value }
  return value
}
const failing = (): never => {
  throw new Error('it cannot be read')
}

/** What a careless caller may hand over. */
const odd: readonly (readonly [name: string, value: () => unknown])[] = [
  ['nothing', () => undefined],
  ['null', () => null],
  ['a big integer', () => 12345678901234567890n],
  ['a symbol', () => Symbol('odd')],
  ['a function', () => failing],
  ['not a number', () => Number.NaN],
  ['a date that is none', () => new Date(Number.NaN)],
  ['a cycle', cycle],
  ['a tree that is too deep', deep],
  ['a map', () => new Map([['a', 1]])],
  ['bytes', () => new Uint8Array(1_000)],
  ['half of a surrogate pair', () => '\ud800'],
  ['a megabyte', () => 'x'.repeat(1 << 20)],
  ['an error with a cause that leads back', () => withCause()],
  [
    'a getter that throws',
    () => Object.defineProperty({}, 'a', { get: failing, enumerable: true }),
  ],
  ['a toJSON that throws', () => ({ toJSON: failing })],
  ['a proxy that refuses all', () => new Proxy({}, { get: failing, ownKeys: failing })],
]

function withCause(): Error {
  const error = new Error('outer')
  error.cause = new Error('inner', { cause: error })
  return error
}

export function fields(read: ReadLines): Trait<Logger> {
  return {
    name: 'fields',
    cases: [
      {
        name: 'are written as they are: texts, numbers, truths, trees and lists',
        run: async (harness) => {
          const logger = await harness.open()
          const given = {
            text: 'a "b" \\ ü 世界 🙂',
            number: 1.5,
            truth: false,
            tree: { a: [1, 'b'] },
          }
          logger.log('error', 'a message', given)
          const line = await onlyLine(read, logger)
          expect(line.message).toBe('a message')
          expect(line.fields).toMatchObject(given)
        },
      },
      {
        name: 'of children are on each of their lines, the nearest first, and on no others',
        run: async (harness) => {
          const logger = await harness.open()
          const child = logger.child({ a: 1, b: 1 })
          const grandchild = child.child({ b: 2, c: 2 })
          grandchild.log('error', 'one', { c: 3 })
          child.log('error', 'two')
          logger.log('error', 'three')
          const [one, two, three] = await read(logger)
          expect(one?.fields).toMatchObject({ a: 1, b: 2, c: 3 })
          expect(two?.fields).toMatchObject({ a: 1, b: 1 })
          expect(two?.fields['c']).toBeUndefined()
          expect(three?.fields['a']).toBeUndefined()
        },
      },
      {
        name: 'an error tells its name, message and code',
        run: async (harness) => {
          const logger = await harness.open()
          const error = Object.assign(new TypeError('it is broken'), { code: 'E_BROKEN' })
          logger.log('error', 'failed', { error })
          const line = await onlyLine(read, logger)
          expect(line.fields['error']).toMatchObject({ message: 'it is broken', code: 'E_BROKEN' })
        },
      },
      {
        name: 'the trace of the surrounding call is on the line',
        run: async (harness) => {
          const logger = await harness.open()
          const context = new Context(rootContext)
          context.trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true }
          runInContext(context, () => logger.log('error', 'within'))
          context.finish()
          logger.log('error', 'without')
          const [within, without] = await read(logger)
          expect(within?.fields).toMatchObject({
            trace_id: 'a'.repeat(32),
            span_id: 'b'.repeat(16),
          })
          expect(without?.fields['trace_id']).toBeUndefined()
        },
      },
      ...odd.map(
        ([name, value]): Case<Logger> => ({
          name: `${name} costs neither the line nor the caller`,
          run: async (harness) => {
            const logger = await harness.open()
            expect(() =>
              logger.log('error', 'a message', { odd: value(), error: value() }),
            ).not.toThrow()
            expect(() => logger.child({ bound: value() }).log('error', 'another')).not.toThrow()
            const lines = await read(logger)
            expect(lines.map(({ message }) => message)).toEqual(['a message', 'another'])
          },
        }),
      ),
      {
        name: 'a message stays one line, whatever it holds',
        run: async (harness) => {
          const logger = await harness.open()
          const messages = [
            'two\nlines',
            '{"level":"fatal"}',
            '\u2028\u0000\u001b[31m',
            '',
            '%s %d %j',
          ]
          for (const message of messages) logger.log('error', message)
          expect((await read(logger)).map(({ message }) => message)).toEqual(messages)
        },
      },
      {
        name: 'cannot take the place of level, message or prototype',
        run: async (harness) => {
          const logger = await harness.open()
          const polluting = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}')
          logger.log('error', 'a message', polluting as Record<string, unknown>)
          logger.log('error', 'another', { level: 'info', message: 'forged', time: 'never' })
          const lines = await read(logger)
          expect(lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
            'error a message',
            'error another',
          ])
          expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
        },
      },
    ],
  }
}
