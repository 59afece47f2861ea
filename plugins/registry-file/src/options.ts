import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { MicroError } from '@micro/core/errors'

export interface FileRegistryOptions {
  /**
   * Directory that all processes share. Made if missing, for its user only.
   * @default 'micro-<user id>/registry' in the system's temporary directory
   */
  readonly directory?: string
  /** Separates fleets in one directory. @default 'micro' */
  readonly namespace?: string
  /**
   * Milliseconds between looks at the whole directory, which find what no event of the file system
   * told of. @default 1000
   */
  readonly pollInterval?: number
  /**
   * Listen to events of the file system, which tell of a change within milliseconds; network file
   * systems have none for what other machines do. @default true
   */
  readonly useFileEvents?: boolean
  /** Bytes of a record: a larger one is refused, and passed over where it is found. @default 1048576 */
  readonly maxRecordSize?: number
}

export interface Settings {
  /** Of the namespace: `<directory>/<namespace>`. */
  readonly root: string
  /** Lies where every user of the machine may write, so it must be seen to be this user's alone. */
  readonly ownDirectory: string | undefined
  readonly pollInterval: number
  readonly useFileEvents: boolean
  readonly maxRecordSize: number
}

const known = ['directory', 'namespace', 'pollInterval', 'useFileEvents', 'maxRecordSize']

/** @throws `invalid_argument`, naming the option. */
export function settle(options: FileRegistryOptions): Settings {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) refuse(name, `is unknown; known are ${known.join(', ')}`)
  }
  const { directory, namespace = 'micro', pollInterval = 1_000 } = options
  const { useFileEvents = true, maxRecordSize = 1_048_576 } = options
  if (directory !== undefined && (typeof directory !== 'string' || directory === '')) {
    refuse('directory', `is ${show(directory)}; give a path`)
  }
  if (!isName(namespace)) {
    refuse('namespace', `is ${show(namespace)}; use letters, digits, "_", "." and "-", at most 255`)
  }
  if (!isBetween(pollInterval, 10, 3_600_000)) {
    refuse('pollInterval', `is ${show(pollInterval)}; give milliseconds from 10 to 3,600,000`)
  }
  if (!isBetween(maxRecordSize, 1_024, 2 ** 30)) {
    refuse('maxRecordSize', `is ${show(maxRecordSize)}; give bytes from 1,024 to 2^30`)
  }
  if (typeof useFileEvents !== 'boolean') {
    refuse('useFileEvents', `is ${show(useFileEvents)}; give true or false`)
  }
  const user = process.geteuid?.()
  const ownDirectory = join(tmpdir(), user === undefined ? 'micro' : `micro-${user}`)
  return {
    // Absolute at once: the process may change its working directory later.
    root: resolve(directory ?? join(ownDirectory, 'registry'), namespace),
    ownDirectory: directory === undefined ? ownDirectory : undefined,
    pollInterval,
    useFileEvents,
    maxRecordSize,
  }
}

/** Whether it may become part of a path: what `@micro/core` allows as a service's name. */
export function isName(value: unknown): boolean {
  return (
    typeof value === 'string' && value.length <= 255 && /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(value)
  )
}

function isBetween(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && value >= least && value <= most
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}

function refuse(name: string, why: string): never {
  throw new MicroError('invalid_argument', `fileRegistry option ${name} ${why}`)
}
