import { MicroError } from '@micro/core/errors'
import { isName } from './names.ts'

export interface XmlCodecOptions {
  /** Name of the root element, written and demanded. @default 'message' */
  readonly root?: string
  /**
   * Names of elements that are read as an array even where there is one only, for documents of others.
   * What this codec writes says so itself. @default none
   */
  readonly arrays?: readonly string[]
  /** Levels of nesting of objects and arrays, written and read; from 1 to 300. @default 200 */
  readonly maxDepth?: number
}

export interface Settings {
  readonly root: string
  readonly arrays: ReadonlySet<string>
  readonly maxDepth: number
}

const known = new Set(['root', 'arrays', 'maxDepth'])

/** @throws `invalid_argument`, naming the option. */
export function settle(options: XmlCodecOptions): Settings {
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw invalid(name, `unknown option; known are ${[...known].join(', ')}`)
  }
  const { root = 'message', arrays = [], maxDepth = 200 } = options
  if (!isName(root)) throw invalid('root', `${root}; give the name of an element`)
  const notName = arrays.find((name) => !isName(name))
  if (notName !== undefined) throw invalid('arrays', `${notName}; give names of elements`)
  // Writing and reading recurse, and the stack has an end.
  if (!(Number.isInteger(maxDepth) && maxDepth >= 1 && maxDepth <= 300)) {
    throw invalid('maxDepth', `${maxDepth}; give a whole number from 1 to 300`)
  }
  return { root, arrays: new Set(arrays), maxDepth }
}

function invalid(name: string, why: string): MicroError {
  return new MicroError('invalid_argument', `xmlCodec option ${name}: ${why}`)
}
