import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { MicroError } from '@micro/core/errors'

export interface FileRegistryOptions {
  /**
   * Directory that all processes share. Made if missing, readable by its user only.
   * @default 'micro-<user id>/registry' in the system's temporary directory
   */
  readonly directory?: string
  /** Separates fleets in one directory. @default 'micro' */
  readonly namespace?: string
  /**
   * Milliseconds between looks at the directory. Events of the file system usually tell sooner.
   * @default 1000
   */
  readonly pollInterval?: number
  /** Listen to events of the file system; some network file systems have none. @default true */
  readonly useFileEvents?: boolean
  /** Bytes of a record; larger files are passed over. @default 1048576 */
  readonly maxRecordSize?: number
}

export interface Settings {
  /** Of the namespace: `<directory>/<namespace>`. */
  readonly root: string
  readonly pollInterval: number
  readonly useFileEvents: boolean
  readonly maxRecordSize: number
}

const known = new Set(['directory', 'namespace', 'pollInterval', 'useFileEvents', 'maxRecordSize'])

/** @throws `invalid_argument`, naming the option. */
export function settle(options: FileRegistryOptions): Settings {
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw invalid(name, `unknown option; known are ${[...known].join(', ')}`)
  }
  const directory = options.directory ?? join(tmpdir(), `micro-${userInfo().uid}`, 'registry')
  const namespace = options.namespace ?? 'micro'
  const pollInterval = options.pollInterval ?? 1_000
  const maxRecordSize = options.maxRecordSize ?? 1_048_576
  if (directory === '') throw invalid('directory', 'is empty; give a path')
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(namespace)) {
    throw invalid(
      'namespace',
      `${JSON.stringify(namespace)}; use letters, digits, "_", "." and "-"`,
    )
  }
  if (!(pollInterval >= 10 && pollInterval <= 3_600_000)) {
    throw invalid('pollInterval', `${pollInterval}; give milliseconds from 10 to 3,600,000`)
  }
  if (!(maxRecordSize >= 1_024 && maxRecordSize <= 2 ** 30)) {
    throw invalid('maxRecordSize', `${maxRecordSize}; give bytes from 1,024 to 2^30`)
  }
  const useFileEvents = options.useFileEvents ?? true
  return { root: join(directory, namespace), pollInterval, useFileEvents, maxRecordSize }
}

function invalid(name: string, why: string): MicroError {
  return new MicroError('invalid_argument', `fileRegistry option ${name}: ${why}`)
}
