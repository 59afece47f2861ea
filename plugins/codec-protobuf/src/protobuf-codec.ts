import {
  type DescMessage,
  fromBinary,
  fromJsonString,
  toBinary,
  toJsonString,
} from '@bufbuild/protobuf'
import type { BoundCodec, Codec } from '@micro/core/codec'
import { staticComponent } from '@micro/core/component'
import type { MessageType } from '@micro/core/definition'
import { malformed } from './errors.ts'
import { toMessage } from './message-schema.ts'
import { type ProtobufCodecOptions, type Settings, settle } from './options.ts'
import { refuseHalves } from './refuse-halves.ts'

/**
 * Messages of services made by `fromProto`, as `application/proto` and, by the JSON mapping of
 * protobuf, as `application/json`. Other services are left to other codecs.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function protobufCodec(options: ProtobufCodecOptions = {}): Codec {
  const settings = settle(options)
  return {
    ...staticComponent('protobuf', 'codec/0'),
    contentTypes: ['application/proto', 'application/json'],
    bind(type, contentType) {
      const message = descriptorOf(type)
      if (message === undefined) return undefined
      if (contentType === 'application/proto') return bindBinary(type, message, settings)
      return contentType === 'application/json' ? bindJson(type, message, settings) : undefined
    },
  }
}

function bindBinary(type: MessageType, message: DescMessage, settings: Settings): BoundCodec {
  const options = { recursionLimit: settings.maxDepth }
  return {
    encode: (value) =>
      attempt(type, () => {
        const whole = toMessage(message, value)
        const bytes = toBinary(message, whole)
        refuseHalves(whole, bytes)
        return bytes
      }),
    decode: (bytes) => attempt(type, () => fromBinary(message, plain(bytes), options)),
  }
}

function bindJson(type: MessageType, message: DescMessage, settings: Settings): BoundCodec {
  const { registry, strictJson, maxDepth } = settings
  const write = { ...(registry === undefined ? {} : { registry }) }
  const read = { ...write, ignoreUnknownFields: !strictJson, recursionLimit: maxDepth }
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const encoder = new TextEncoder()
  return {
    encode: (value) =>
      attempt(type, () => {
        const whole = toMessage(message, value)
        const text = toJsonString(message, whole, write)
        refuseHalves(whole, text)
        return encoder.encode(text)
      }),
    decode: (bytes) =>
      attempt(type, () => {
        // A caller that has nothing to say may send nothing.
        const text = bytes.length === 0 ? '{}' : decoder.decode(bytes)
        return fromJsonString(message, text, read)
      }),
  }
}

/** Fields of a Buffer would be Buffers, whose `slice` is no copy. */
function plain(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function attempt<T>(type: MessageType, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw malformed(type.name, error)
  }
}

function descriptorOf({ descriptor }: MessageType): DescMessage | undefined {
  const isMessage =
    typeof descriptor === 'object' &&
    descriptor !== null &&
    (descriptor as { kind?: unknown }).kind === 'message'
  return isMessage ? (descriptor as DescMessage) : undefined
}
