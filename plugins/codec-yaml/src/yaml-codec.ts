import { type BoundCodec, type Codec, checkPlainData, type PlainDataRules } from '@micro/core/codec'
import { staticComponent } from '@micro/core/component'
import { unreadable } from './errors.ts'
import { settle, type YamlCodecOptions } from './options.ts'
import { parse } from './parse.ts'
import { maxDigits } from './tags.ts'
import { toPlain } from './to-plain.ts'
import { write } from './write.ts'

/**
 * YAML 1.2, the core schema and `!!binary`. `undefined` is the empty body, so that a method without
 * input needs none.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function yamlCodec(options: YamlCodecOptions = {}): Codec {
  const { maxDepth } = settle(options)
  const bound = bindPlain(maxDepth)
  return {
    ...staticComponent('yaml', 'codec/0'),
    contentTypes: ['application/yaml', 'application/x-yaml', 'text/yaml'],
    // A type of another world has an encoding of its own, which only that world's codec knows.
    bind: (type) => (type.descriptor === undefined ? bound : undefined),
  }
}

const empty = new Uint8Array(0)
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function bindPlain(maxDepth: number): BoundCodec {
  const rules: PlainDataRules = { format: 'YAML', maxDepth, holds }
  return {
    encode(value) {
      if (value === undefined) return empty
      checkPlainData(value, rules)
      return encoder.encode(write(value))
    },
    decode(bytes) {
      if (bytes.length === 0) return undefined
      try {
        const text = decoder.decode(bytes)
        return toPlain(parse(text, maxDepth), text, maxDepth)
      } catch (cause) {
        throw unreadable(cause)
      }
    },
  }
}

function holds(value: unknown): boolean | string {
  if (value instanceof Uint8Array) return true
  if (typeof value !== 'bigint') return false
  const most = 10n ** BigInt(maxDigits)
  return (value < most && value > -most) || `a bigint of more than ${maxDigits} digits`
}
