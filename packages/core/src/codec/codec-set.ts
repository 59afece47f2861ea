import { requireContract } from '../component/contract.ts'
import type { MessageType } from '../definition/definition.ts'
import type { BoundCodec, Codec } from './codec.ts'

/** The codecs of a service, in order of preference. */
export interface CodecSet {
  /** Content-types that can carry all of `types`, the preferred one first. */
  contentTypesFor(types: readonly MessageType[]): string[]
  bind(type: MessageType, contentType: string): BoundCodec | undefined
}

/** The first codec that can bind a type and content-type wins. */
export function createCodecSet(codecs: readonly Codec[]): CodecSet {
  for (const codec of codecs) requireContract(codec, 'codec/0')
  const bind = (type: MessageType, contentType: string): BoundCodec | undefined => {
    for (const codec of codecs) {
      if (!codec.contentTypes.includes(contentType)) continue
      const bound = codec.bind(type, contentType)
      if (bound !== undefined) return bound
    }
    return undefined
  }
  return {
    bind,
    contentTypesFor(types) {
      const all = new Set(codecs.flatMap((codec) => codec.contentTypes))
      return [...all].filter((contentType) =>
        types.every((type) => bind(type, contentType) !== undefined),
      )
    },
  }
}
