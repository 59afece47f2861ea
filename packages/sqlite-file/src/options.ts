import { join, resolve } from 'node:path'
import { MicroError } from '@micro/core/errors'

/** What all plugins on a file are given. */
export interface SqliteFileOptions {
  /**
   * Directory that all processes share, on a local disk. Made if missing, for its user only. There is no
   * default: what must last does not belong where the system cleans up.
   */
  readonly directory: string
  /** Separates systems in one directory: it begins the names of the files. @default 'micro' */
  readonly namespace?: string
  /**
   * `'full'`: what has been acknowledged survives a loss of power. `'normal'`: it survives the end of the
   * process, however sudden, but a loss of power may take the last of it. Neither corrupts the file.
   * @default 'full'
   */
  readonly durability?: 'full' | 'normal'
  /** Milliseconds to try for while other processes keep the file busy. @default 10000 */
  readonly busyTimeout?: number
  /** Milliseconds between looks for what other processes have changed. @default 50 */
  readonly pollInterval?: number
  /**
   * Bytes of the log at which it is taken over into the file, which stops the event loop for as long as
   * the disk takes. @default 4194304
   */
  readonly checkpointBytes?: number
  /**
   * A file of up to this many bytes is checked whole when it is opened; a larger one page by page, as it
   * is read. @default 33554432
   */
  readonly verifyBytes?: number
}

/** Options after `settleFile`. */
export interface SqliteSettings {
  readonly directory: string
  readonly file: string
  readonly durability: 'full' | 'normal'
  readonly busyTimeout: number
  readonly pollInterval: number
  readonly checkpointBytes: number
  readonly verifyBytes: number
}

const shared = [
  'directory',
  'namespace',
  'durability',
  'busyTimeout',
  'pollInterval',
  'checkpointBytes',
  'verifyBytes',
]

/**
 * Checks the options that all plugins on a file have, and that there are none but those and the plugin's
 * own.
 *
 * @param factory For errors: `fileStore`.
 * @param kind Ends the name of the file: `store`.
 * @throws `invalid_argument`, naming the option.
 */
export function settleFile(
  factory: string,
  kind: string,
  options: SqliteFileOptions,
  own: readonly string[],
): SqliteSettings {
  const known = [...shared, ...own]
  for (const name of Object.keys(options)) {
    if (!known.includes(name))
      refuseOption(factory, name, `is unknown; known are ${known.join(', ')}`)
  }
  const { directory, namespace = 'micro', durability = 'full' } = options
  const { busyTimeout = 10_000, pollInterval = 50 } = options
  const { checkpointBytes = 4_194_304, verifyBytes = 33_554_432 } = options
  if (typeof directory !== 'string' || directory === '' || directory.includes('\0')) {
    refuseOption(factory, 'directory', `is ${show(directory)}; give a path`)
  }
  if (
    typeof namespace !== 'string' ||
    !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(namespace) ||
    namespace.length > 128
  ) {
    const why = `is ${show(namespace)}; use letters, digits, "_", "." and "-", at most 128`
    refuseOption(factory, 'namespace', why)
  }
  if (durability !== 'full' && durability !== 'normal') {
    refuseOption(factory, 'durability', `is ${show(durability)}; give 'full' or 'normal'`)
  }
  const within = (name: string, value: unknown, least: number, most: number): void => {
    if (typeof value === 'number' && value >= least && value <= most) return
    refuseOption(factory, name, `is ${show(value)}; give a number from ${least} to ${most}`)
  }
  within('busyTimeout', busyTimeout, 0, 3_600_000)
  within('pollInterval', pollInterval, 1, 60_000)
  within('checkpointBytes', checkpointBytes, 65_536, 2 ** 40)
  within('verifyBytes', verifyBytes, 0, Number.MAX_SAFE_INTEGER)
  // Absolute at once: the process may change its working directory later.
  const absolute = resolve(directory)
  return {
    directory: absolute,
    file: join(absolute, `${namespace}.${kind}.db`),
    durability,
    busyTimeout,
    pollInterval,
    checkpointBytes,
    verifyBytes,
  }
}

/** @throws `invalid_argument`, naming the option. */
export function refuseOption(factory: string, name: string, why: string): never {
  throw new MicroError('invalid_argument', `${factory} option ${name} ${why}`)
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
