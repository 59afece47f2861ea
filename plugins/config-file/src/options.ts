import { MicroError } from '@micro/core/errors'

export interface FileSourceOptions {
  /**
   * A `.json`, `.yaml`, `.yml` or `.toml` file; or a directory, whose files of these kinds are merged in
   * the order of their names. Hidden files and what editors leave behind are passed over.
   */
  readonly path: string
  /** A path that is not there says nothing, instead of failing the start. @default false */
  readonly optional?: boolean
  /** Replaces `${NAME}` and `${NAME:-default}` in strings by variables of `env`. @default false */
  readonly substitute?: boolean
  /** For `substitute`. @default process.env */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Bytes of all files together at most. @default 1 MiB */
  readonly maxBytes?: number
  /** Milliseconds between looks at the files, beside the system's own notices. @default 2000 */
  readonly pollInterval?: number
}

export type Settings = Required<FileSourceOptions>

/** @throws `invalid_argument` naming the option. */
export function settle(options: FileSourceOptions): Settings {
  const { path, maxBytes = 2 ** 20, pollInterval = 2_000 } = options
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw new MicroError('invalid_argument', 'path: give the path of a file or directory')
  }
  for (const [field, value, most] of [
    ['maxBytes', maxBytes, 2 ** 30],
    ['pollInterval', pollInterval, 2 ** 31 - 1],
  ] as const) {
    if (!Number.isInteger(value) || value < 1 || value > most) {
      throw new MicroError(
        'invalid_argument',
        `${field}: ${value}; give a whole number from 1 to ${most}`,
      )
    }
  }
  return {
    path,
    maxBytes,
    pollInterval,
    optional: options.optional ?? false,
    substitute: options.substitute ?? false,
    env: options.env ?? process.env,
  }
}
