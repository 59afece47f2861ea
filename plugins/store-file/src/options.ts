import {
  refuseOption,
  type SqliteFileOptions,
  type SqliteSettings,
  settleFile,
} from '@micro/sqlite-file'

export interface FileStoreOptions extends SqliteFileOptions {
  /** Bytes of one value. @default 16777216 */
  readonly maxValueSize?: number
  /** Bytes of the file. @default as many as the disk has */
  readonly maxFileSize?: number
  /** How many changes are kept for watches: one that is further behind gets a `reset`. @default 100000 */
  readonly maxChanges?: number
  /** Milliseconds between looks for records whose ttl is over. @default 1000 */
  readonly sweepInterval?: number
}

export interface Settings {
  readonly file: SqliteSettings
  readonly maxValueSize: number
  readonly maxFileSize: number | undefined
  readonly maxChanges: number
  readonly sweepInterval: number
}

const factory = 'fileStore'
const own = ['maxValueSize', 'maxFileSize', 'maxChanges', 'sweepInterval']

/** @throws `invalid_argument`, naming the option. */
export function settle(options: FileStoreOptions): Settings {
  const file = settleFile(factory, 'store', options, own)
  const { maxValueSize = 16_777_216, maxFileSize, maxChanges = 100_000 } = options
  const { sweepInterval = 1_000 } = options
  const within = (name: string, value: unknown, least: number, most: number): void => {
    if (typeof value === 'number' && value >= least && value <= most) return
    refuseOption(factory, name, `is ${String(value)}; give a number from ${least} to ${most}`)
  }
  // SQLite takes a billion bytes for a row.
  within('maxValueSize', maxValueSize, 1, 900_000_000)
  if (maxFileSize !== undefined) within('maxFileSize', maxFileSize, 65_536, 2 ** 44)
  within('maxChanges', maxChanges, 1, 1e9)
  within('sweepInterval', sweepInterval, 10, 3_600_000)
  return { file, maxValueSize, maxFileSize, maxChanges, sweepInterval }
}
