import { type BoundCodec, type Codec, checkPlainData } from '@micro/core/codec'
import { staticComponent } from '@micro/core/component'
import { Assembly, type Field, flatten } from './fields.ts'
import { readMultipart, writeMultipart } from './multipart.ts'
import { type FormCodecOptions, type Settings, settle } from './options.ts'
import { readUrlEncoded, writeUrlEncoded } from './url-encoded.ts'

/**
 * Forms: objects of text, of arrays of text and of such objects, and in `multipart/form-data` of files
 * `{ name, type, bytes }` too. `undefined` is the empty body, so that a method without input needs none.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function formCodec(options: FormCodecOptions = {}): Codec {
  const settings = settle(options)
  const urlEncoded = bindForm(settings, readUrlEncoded, writeUrlEncoded)
  const multipart = bindForm(settings, readMultipart, writeMultipart)
  return {
    ...staticComponent('form', 'codec/0'),
    contentTypes: ['application/x-www-form-urlencoded', 'multipart/form-data'],
    bind(type, contentType) {
      // A type of another world has an encoding of its own, which only that world's codec knows.
      if (type.descriptor !== undefined) return undefined
      return contentType === 'multipart/form-data' ? multipart : urlEncoded
    },
  }
}

const empty = new Uint8Array(0)

function bindForm(
  settings: Settings,
  read: (bytes: Uint8Array, assembly: Assembly) => void,
  write: (fields: readonly Field[]) => Uint8Array,
): BoundCodec {
  // An array and a file within are no levels of their own; `flatten` counts those.
  const rules = {
    format: 'a form',
    maxDepth: settings.maxDepth + 2,
    holds: (value: unknown) => value instanceof Uint8Array,
  }
  return {
    encode(value) {
      if (value === undefined) return empty
      checkPlainData(value, rules)
      return write(flatten(value, settings))
    },
    decode(bytes) {
      if (bytes.length === 0) return undefined
      const assembly = new Assembly(settings)
      read(bytes, assembly)
      return assembly.value
    },
  }
}
