import { type BoundCodec, type Codec, checkPlainData, type PlainDataRules } from '@micro/core/codec'
import { staticComponent } from '@micro/core/component'
import { XMLParser } from 'fast-xml-parser'
import { unreadable } from './errors.ts'
import { unprintable } from './names.ts'
import { type Settings, settle, type XmlCodecOptions } from './options.ts'
import { maxDigits } from './scalars.ts'
import { scan } from './scan.ts'
import { type OrderedNode, toPlain } from './to-plain.ts'
import { write } from './write.ts'

/**
 * XML 1.0, by the mapping of this package's README. `undefined` is the empty body, so that a method
 * without input needs none.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function xmlCodec(options: XmlCodecOptions = {}): Codec {
  const bound = bindPlain(settle(options))
  return {
    ...staticComponent('xml', 'codec/0'),
    contentTypes: ['application/xml', 'text/xml'],
    // A type of another world has an encoding of its own, which only that world's codec knows.
    bind: (type) => (type.descriptor === undefined ? bound : undefined),
  }
}

const empty = new Uint8Array(0)
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function bindPlain({ root, arrays, maxDepth }: Settings): BoundCodec {
  const parser = new XMLParser({
    preserveOrder: true,
    ignoreAttributes: false,
    attributeNamePrefix: '',
    textNodeName: '#text',
    cdataPropName: '#cdata',
    parseTagValue: false,
    parseAttributeValue: false,
    trimValues: false,
    // The five entities and references by number are read here; there are no others.
    processEntities: false,
    maxNestedTags: maxDepth + 2,
    jPath: false,
    onDangerousProperty: (name) => name,
  })
  const rules: PlainDataRules = { format: 'XML', maxDepth, holds, refuseText }
  return {
    encode(value) {
      if (value === undefined) return empty
      checkPlainData(value, rules)
      return encoder.encode(write(root, value))
    },
    decode(bytes) {
      if (bytes.length === 0) return undefined
      try {
        const text = decoder.decode(bytes)
        scan(text, maxDepth)
        return toPlain(parser.parse(text) as readonly OrderedNode[], root, arrays)
      } catch (cause) {
        throw unreadable(cause)
      }
    },
  }
}

function holds(value: unknown): boolean | string {
  if (value instanceof Uint8Array) return true
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : true
  if (typeof value !== 'bigint') return false
  const most = 10n ** BigInt(maxDigits)
  return (value < most && value > -most) || `a bigint of more than ${maxDigits} digits`
}

function refuseText(text: string): string | undefined {
  return unprintable.test(text) ? 'a text with a character that XML does not have' : undefined
}
