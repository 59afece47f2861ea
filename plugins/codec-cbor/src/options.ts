import { MicroError } from '@micro/core/errors'

export interface CborCodecOptions {
  /** Levels of nesting of maps and arrays, written and read; from 1 to 300. @default 200 */
  readonly maxDepth?: number
}

export interface Settings {
  readonly maxDepth: number
}

const known = new Set(['maxDepth'])

/** @throws `invalid_argument`, naming the option. */
export function settle(options: CborCodecOptions): Settings {
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw invalid(name, `unknown option; known are ${[...known].join(', ')}`)
  }
  const maxDepth = options.maxDepth ?? 200
  // Writing and reading recurse, and the stack has an end.
  if (!(Number.isInteger(maxDepth) && maxDepth >= 1 && maxDepth <= 300)) {
    throw invalid('maxDepth', `${maxDepth}; give a whole number from 1 to 300`)
  }
  return { maxDepth }
}

function invalid(name: string, why: string): MicroError {
  return new MicroError('invalid_argument', `cborCodec option ${name}: ${why}`)
}
