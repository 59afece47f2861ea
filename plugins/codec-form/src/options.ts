import { MicroError } from '@micro/core/errors'

export interface FormCodecOptions {
  /** Levels of nesting: `a[b][c]` has three; from 1 to 100. @default 10 */
  readonly maxDepth?: number
  /** Fields and files of a form. @default 1,000 */
  readonly maxFields?: number
  /** Bytes of the name and of the text of a field. @default 1 MiB */
  readonly maxFieldSize?: number
  /** Bytes of a file. @default 16 MiB */
  readonly maxFileSize?: number
  /**
   * Fields that are an array even where there is one only, as for check boxes of one name:
   * `['colour', 'user[tags]']`. Names that end in `[]` need not be listed. @default none
   */
  readonly arrays?: readonly string[]
}

export interface Settings {
  readonly maxDepth: number
  readonly maxFields: number
  readonly maxFieldSize: number
  readonly maxFileSize: number
  readonly arrays: ReadonlySet<string>
}

const known = new Set(['maxDepth', 'maxFields', 'maxFieldSize', 'maxFileSize', 'arrays'])

/** @throws `invalid_argument`, naming the option. */
export function settle(options: FormCodecOptions): Settings {
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw invalid(name, `unknown option; known are ${[...known].join(', ')}`)
  }
  return {
    maxDepth: whole('maxDepth', options.maxDepth ?? 10, 100),
    maxFields: whole('maxFields', options.maxFields ?? 1_000, 1_000_000),
    maxFieldSize: whole('maxFieldSize', options.maxFieldSize ?? 1_048_576, 2 ** 31),
    maxFileSize: whole('maxFileSize', options.maxFileSize ?? 16_777_216, 2 ** 31),
    arrays: new Set(options.arrays ?? []),
  }
}

function whole(name: string, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value
  throw invalid(name, `${value}; give a whole number from 1 to ${most.toLocaleString('en')}`)
}

function invalid(name: string, why: string): MicroError {
  return new MicroError('invalid_argument', `formCodec option ${name}: ${why}`)
}
