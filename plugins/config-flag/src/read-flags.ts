import { MicroError } from '@micro/core/errors'
import type { SchemaView } from '@micro/core/schema'
import { nearest } from './nearest.ts'
import type { Settings } from './options.ts'
import { flagOf } from './spelling.ts'

export interface Flag {
  /** As it was written: `--server.idle-timeout`. */
  readonly name: string
  readonly keys: readonly string[]
  /** `undefined` for a switch that is on. */
  readonly text: string | undefined
}

/**
 * `--a.b=c`, `--a.b c`, `--on`, `--no-on`; behind `--` all is left to the program.
 *
 * @throws `invalid_argument` naming the flag; what was given to it is not in the message.
 */
export function readFlags(
  { args, positionals, schema }: Settings,
  view: SchemaView,
): { flags: Flag[]; help: boolean } {
  const known = schema !== undefined && view.leaves().length > 0
  const flags: Flag[] = []
  let help = false

  const pathOf = (name: string): string[] | undefined => {
    const keys: string[] = []
    for (const part of name.split('.')) {
      if (part === '') return undefined
      keys.push(view.keyFor(keys, part) ?? (known ? part : camelCase(part)))
    }
    return !known || view.has(keys) ? keys : undefined
  }
  const isSwitch = (keys: readonly string[]): boolean => view.typesAt(keys).has('boolean')

  for (let at = 0; at < args.length; at++) {
    const arg = args[at] as string
    if (arg === '--') break
    if (arg === '--help' || arg === '-h') {
      help = true
      continue
    }
    if (!arg.startsWith('-') || arg === '-') {
      if (positionals === 'ignore') continue
      throw wrong(arg, 'it is no flag: write --name=value')
    }
    const [, name = '', text] = /^--([^=]+)(?:=([\s\S]*))?$/.exec(arg) ?? []
    if (name === '') throw wrong(arg.split('=')[0] ?? arg, 'flags are written --name=value')
    const keys = pathOf(name)
    const shown = `--${name}`
    if (keys === undefined) {
      const off = name.startsWith('no-') ? pathOf(name.slice(3)) : undefined
      if (off !== undefined && text === undefined && isSwitch(off)) {
        flags.push({ name: shown, keys: off, text: 'false' })
        continue
      }
      throw wrong(shown, unknown(name, view))
    }
    if (text !== undefined) {
      flags.push({ name: shown, keys, text })
      continue
    }
    if (isSwitch(keys)) {
      flags.push({ name: shown, keys, text: undefined })
      continue
    }
    const next = args[at + 1]
    // `--port -1` is a value, `--port --host` a value that was forgotten.
    if (!known || next === undefined || next.startsWith('--')) {
      throw wrong(shown, `give it a value: ${shown}=…`)
    }
    flags.push({ name: shown, keys, text: next })
    at += 1
  }
  return { flags, help }
}

function unknown(name: string, view: SchemaView): string {
  const flags = view.leaves().map(({ keys }) => flagOf(keys))
  const near = nearest(`--${name}`, flags)
  return near === undefined
    ? 'there is no such flag; --help lists them'
    : `there is no such flag; did you mean ${near}?`
}

function camelCase(part: string): string {
  return part.replace(/-+([a-z0-9])/g, (_found, letter: string) => letter.toUpperCase())
}

function wrong(flag: string, why: string): MicroError {
  return new MicroError('invalid_argument', `${flag}: ${why}`)
}
