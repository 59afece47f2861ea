import type { Codec } from '@micro/core/codec'
import { plainLifecycleTrait } from '../kit/plain-lifecycle.ts'
import { runSuite } from '../kit/run-suite.ts'
import type { Trait } from '../kit/trait.ts'
import { bytes } from './bytes.ts'
import { hostility } from './hostility.ts'
import { messages } from './messages.ts'
import type { CodecGiven, CodecSuiteOptions } from './options.ts'

export type { CodecSample, CodecSuiteOptions, HostileBodies } from './options.ts'

/** What every `Codec` does, by trait. */
export function codecTraits(
  options: Pick<CodecSuiteOptions, 'samples' | 'foreign' | 'hostile'>,
): readonly Trait<Codec>[] {
  const given: CodecGiven = { foreign: [], hostile: [], ...options }
  const [first] = options.samples
  return [
    messages(given),
    bytes(given),
    hostility(given),
    plainLifecycleTrait((codec) => {
      const [contentType = ''] = codec.contentTypes
      if (first !== undefined) codec.bind(first.type, contentType)?.encode(first.values[0])
    }),
  ]
}

/** Proves that a codec keeps the contract `codec/0`. Call it at the top of a test file. */
export function codecConformance(options: CodecSuiteOptions): void {
  runSuite('codec', codecTraits(options), options)
}
