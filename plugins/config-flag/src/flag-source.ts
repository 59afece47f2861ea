import { createLifecycle } from '@micro/core/component'
import { type ConfigSource, type ConfigTree, parseText, placeValue } from '@micro/core/config'
import { MicroError } from '@micro/core/errors'
import { schemaView } from '@micro/core/schema'
import { flagHelp } from './flag-help.ts'
import { type FlagSourceOptions, settle } from './options.ts'
import { type Flag, readFlags } from './read-flags.ts'

/** What the command line says. It does not change while a process runs, so there is nothing to watch. */
export function flagSource(options: FlagSourceOptions = {}): ConfigSource {
  const settings = settle(options)
  const { schema, onHelp } = settings
  const view = schemaView(schema)
  const lifecycle = createLifecycle({ label: 'config source "flag"' })

  const toTree = (flags: readonly Flag[]): ConfigTree => {
    const values: Record<string, unknown> = {}
    const origins: Record<string, string> = {}
    const lists = new Map<string, unknown[]>()
    for (const { name, keys, text } of flags) {
      const path = keys.join('.')
      const value = text === undefined ? true : parseText(text, keys, view)
      origins[path] = name
      const list = lists.get(path)
      if (list !== undefined && Array.isArray(value)) {
        // A list's flag may come again: `--tag=a --tag=b`.
        list.push(...value)
        continue
      }
      placeValue(values, keys, value, name)
      if (Array.isArray(value)) lists.set(path, value)
    }
    return { values, origins }
  }

  return {
    name: 'flag',
    contract: 'config/0',
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health: () => ({ status: lifecycle.closed ? 'down' : 'up' }),
    async load(loadOptions) {
      await lifecycle.connect(loadOptions)
      const { flags, help } = readFlags(settings, view)
      if (!help) return toTree(flags)
      if (schema === undefined) {
        throw new MicroError('invalid_argument', '--help: there is no schema to write it from')
      }
      onHelp(flagHelp({ ...settings, schema }))
      return { values: {} }
    },
  }
}
