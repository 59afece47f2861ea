import type { BoundCodec, Codec } from '@micro/core/codec'
import type { MessageType } from '@micro/core/definition'
import type { Harness, SuiteOptions } from '../kit/harness.ts'

/** Messages of one type, and what is none of it. */
export interface CodecSample {
  readonly type: MessageType
  /** They come back equal. */
  readonly values: readonly unknown[]
  /** Refused when encoding. @default none */
  readonly refused?: readonly unknown[]
  /** Bodies that are refused when decoding, by content-type. @default none */
  readonly malformed?: Readonly<Record<string, readonly Uint8Array[]>>
}

/** How to write what an attacker would. What the encoding has nothing like is left out. */
export interface HostileBodies {
  readonly type: MessageType
  readonly contentType: string
  /** Well-formed, and nested so deep. */
  readonly nested?: (depth: number) => Uint8Array
  /** Well-formed, with a tree `{ polluted: true }` under this key. */
  readonly keyed?: (key: string) => Uint8Array
  /** A message, nested so deep. */
  readonly deep?: (depth: number) => unknown
  /** A message that holds this text. */
  readonly holding?: (text: string) => unknown
}

export interface CodecSuiteOptions extends SuiteOptions<Codec> {
  readonly samples: readonly CodecSample[]
  /** Types that it leaves to other codecs. @default none */
  readonly foreign?: readonly MessageType[]
  /** @default none: what is decoded is no tree */
  readonly hostile?: readonly HostileBodies[]
}

export type CodecGiven = Required<Pick<CodecSuiteOptions, 'samples' | 'foreign' | 'hostile'>>

/** Each sample under each content-type. */
export async function boundSamples(
  harness: Harness<Codec>,
  samples: readonly CodecSample[],
): Promise<{ sample: CodecSample; contentType: string; bound: BoundCodec }[]> {
  const codec = await harness.open()
  return samples.flatMap((sample) =>
    codec.contentTypes.map((contentType) => {
      const bound = codec.bind(sample.type, contentType)
      if (bound === undefined) throw new Error(`it does not bind ${sample.type.name}`)
      return { sample, contentType, bound }
    }),
  )
}

/** Its `invalid_argument`, or `undefined` where it does not throw. Anything else is thrown on. */
export function refusalOf(work: () => unknown): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    const { code, detail } = error as { code?: unknown; detail?: unknown }
    if (code === 'invalid_argument' && typeof detail === 'string') return detail
    throw error
  }
}
