import { staticComponent } from '../component/static-component.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { BoundCodec, Codec } from './codec.ts'
import { isDeeperThan } from './json-depth.ts'
import { decodeText, encodeText } from './utf8.ts'

export interface CodecLimits {
  /** Levels of nesting of objects and arrays. @default 200 */
  readonly maxDepth?: number
}

/**
 * JSON (RFC 8259). `undefined` is the empty body, so that a method without input needs none.
 * Refuses `__proto__` keys, `constructor.prototype` and nesting beyond the limit.
 */
export function jsonCodec(limits: CodecLimits = {}): Codec {
  const maxDepth = limits.maxDepth ?? 200
  if (!Number.isInteger(maxDepth) || maxDepth < 1) {
    throw new MicroError('invalid_argument', `maxDepth: ${maxDepth}; give a whole number from 1`)
  }
  const bound: BoundCodec = {
    encode(value) {
      if (value === undefined) return empty
      let text: string | undefined
      try {
        text = JSON.stringify(value)
      } catch (cause) {
        // Cycles, BigInt, and whatever a toJSON throws.
        const why = cause instanceof Error ? cause.message : `something threw a ${typeof cause}`
        throw new MicroError('invalid_argument', `JSON cannot hold the message: ${why}`, { cause })
      }
      if (text === undefined) {
        throw new MicroError('invalid_argument', `JSON cannot hold a ${typeof value}`)
      }
      return encodeText(text)
    },
    decode(bytes) {
      if (bytes.length === 0) return undefined
      const text = decodeText(bytes, 'JSON')
      if (isDeeperThan(maxDepth, bytes, text)) {
        throw new MicroError(
          'invalid_argument',
          `malformed JSON: nested deeper than ${maxDepth} levels`,
        )
      }
      return parseJson(text)
    },
  }
  return {
    ...staticComponent('json', 'codec/0'),
    contentTypes: ['application/json'],
    // A type of another world has a JSON form of its own, which only that world's codec knows.
    bind: (type) => (type.descriptor === undefined ? bound : undefined),
  }
}

const empty = new Uint8Array(0)

function parseJson(text: string): unknown {
  try {
    // An escape could spell a forbidden key, so any of these takes the slow way.
    return text.includes('__proto__') || text.includes('"constructor"') || text.includes('\\u')
      ? JSON.parse(text, refusePollution)
      : JSON.parse(text)
  } catch (cause) {
    if (MicroError.is(cause)) throw cause
    throw new MicroError('invalid_argument', `malformed JSON: ${(cause as Error).message}`, {
      cause,
    })
  }
}

function refusePollution(this: unknown, key: string, value: unknown): unknown {
  const polluting =
    key === '__proto__' ||
    (key === 'constructor' &&
      typeof value === 'object' &&
      value !== null &&
      Object.hasOwn(value, 'prototype'))
  if (!polluting) return value
  throw new MicroError('invalid_argument', `malformed JSON: the key "${key}" is not allowed`)
}
