import { MicroError } from '@micro/core/errors'
import type { StandardSchema } from '@micro/core/schema'

export interface EnvSourceOptions {
  /** Variables that begin with it are read, and it is left away: `APP_`. */
  readonly prefix: string
  /** Between the keys of a path: `APP_SERVER__PORT` is `server.port`. @default '__' */
  readonly separator?: string
  /**
   * Tells types and the spelling of keys, if it can be read as JSON Schema (Standard JSON Schema, which
   * Zod, Valibot, ArkType and others implement). @default all values are strings, all keys camel case
   */
  readonly schema?: StandardSchema
  /** `.env` files, the later ones over the earlier, the environment over all. Each must be there. @default none */
  readonly files?: readonly string[]
  /** @default process.env */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Bytes of a file that a `*_FILE` variable names, or of a `.env` file, at most. @default 1 MiB */
  readonly maxFileBytes?: number
}

export type Settings = Required<Omit<EnvSourceOptions, 'schema'>> & {
  readonly schema: StandardSchema | undefined
}

/** @throws `invalid_argument` naming the option. */
export function settle(options: EnvSourceOptions): Settings {
  const { prefix, separator = '__', maxFileBytes = 2 ** 20 } = options
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(prefix)) {
    throw new MicroError(
      'invalid_argument',
      `prefix: ${JSON.stringify(prefix)}; use letters, digits and "_", such as "APP_"`,
    )
  }
  if (!/^[A-Za-z0-9_.-]{1,8}$/.test(separator)) {
    throw new MicroError(
      'invalid_argument',
      `separator: ${JSON.stringify(separator)}; use 1 to 8 letters, digits, "_", "." and "-"`,
    )
  }
  if (!Number.isInteger(maxFileBytes) || maxFileBytes < 1) {
    throw new MicroError(
      'invalid_argument',
      `maxFileBytes: ${maxFileBytes}; give a whole number from 1`,
    )
  }
  return {
    prefix,
    separator,
    maxFileBytes,
    schema: options.schema,
    files: options.files ?? [],
    env: options.env ?? process.env,
  }
}
