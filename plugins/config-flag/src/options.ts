import { MicroError } from '@micro/core/errors'
import type { StandardSchema } from '@micro/core/schema'

export interface FlagHelpOptions {
  /** Tells the flags, if it can be read as JSON Schema (Standard JSON Schema). */
  readonly schema: StandardSchema
  /** What the program is called, in its usage line. @default the name of its file */
  readonly program?: string
  /** One sentence on what it does. @default none */
  readonly description?: string
}

export interface FlagSourceOptions extends Partial<FlagHelpOptions> {
  /** Behind the program's name. @default process.argv.slice(2) */
  readonly args?: readonly string[]
  /** What is no flag: refuse it by name, or leave it to the program. @default 'refuse' */
  readonly positionals?: 'refuse' | 'ignore'
  /** Given the text of `--help`. @default prints it and ends the process with exit code 0 */
  readonly onHelp?: (text: string) => void
}

export type Settings = Required<Omit<FlagSourceOptions, 'schema' | 'program' | 'description'>> &
  Pick<FlagSourceOptions, 'schema' | 'program' | 'description'>

/** @throws `invalid_argument` naming the option. */
export function settle(options: FlagSourceOptions): Settings {
  const { args = process.argv.slice(2), positionals = 'refuse', onHelp = printAndExit } = options
  if (!Array.isArray(args) || args.some((arg) => typeof arg !== 'string')) {
    throw new MicroError('invalid_argument', 'args: give a list of strings')
  }
  if (positionals !== 'refuse' && positionals !== 'ignore') {
    throw new MicroError(
      'invalid_argument',
      `positionals: ${String(positionals)}; give 'refuse' or 'ignore'`,
    )
  }
  return { ...options, args, positionals, onHelp }
}

function printAndExit(text: string): void {
  process.stdout.write(text)
  process.exit(0)
}
