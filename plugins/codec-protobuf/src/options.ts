import type { Registry } from '@bufbuild/protobuf'
import { MicroError } from '@micro/core/errors'

export interface ProtobufCodecOptions {
  /** Messages that `google.protobuf.Any` may hold in JSON. @default none */
  readonly registry?: Registry
  /** Refuse JSON with fields that the message does not have. @default false */
  readonly strictJson?: boolean
  /** Levels of nesting of JSON and of messages within messages. @default 100 */
  readonly maxDepth?: number
}

export interface Settings {
  readonly registry: Registry | undefined
  readonly strictJson: boolean
  readonly maxDepth: number
}

const known = new Set(['registry', 'strictJson', 'maxDepth'])

/** @throws `invalid_argument`, naming the option. */
export function settle(options: ProtobufCodecOptions): Settings {
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw invalid(name, `unknown option; known are ${[...known].join(', ')}`)
  }
  const maxDepth = options.maxDepth ?? 100
  if (!(Number.isInteger(maxDepth) && maxDepth >= 1 && maxDepth <= 10_000)) {
    throw invalid('maxDepth', `${maxDepth}; give a whole number from 1 to 10,000`)
  }
  return { registry: options.registry, strictJson: options.strictJson ?? false, maxDepth }
}

function invalid(name: string, why: string): MicroError {
  return new MicroError('invalid_argument', `protobufCodec option ${name}: ${why}`)
}
