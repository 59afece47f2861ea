import { createLifecycle } from '@micro/core/component'
import { type ConfigSource, parseText, placeValue } from '@micro/core/config'
import { MicroError } from '@micro/core/errors'
import { schemaView } from '@micro/core/schema'
import { type EnvSourceOptions, settle } from './options.ts'
import { readEnvFile, readSecret } from './read-files.ts'

interface Variable {
  readonly name: string
  readonly text: string
  readonly origin: string
}

const fileSuffix = '_FILE'

/** What the environment says. It is read at each load; there is nothing to watch. */
export function envSource(options: EnvSourceOptions): ConfigSource {
  const settings = settle(options)
  const { prefix, separator, env, files } = settings
  const view = schemaView(settings.schema)
  const lifecycle = createLifecycle({ label: 'config source "env"' })

  /** Of the files and the environment, the last one for each name. */
  const collect = async (signal: AbortSignal | undefined): Promise<Map<string, Variable>> => {
    const found = new Map<string, Variable>()
    const add = (from: Readonly<Record<string, string | undefined>>, where: string): void => {
      for (const [name, text] of Object.entries(from)) {
        if (text === undefined || !name.startsWith(prefix) || name === prefix) continue
        found.set(name, { name, text, origin: `${where}${name}` })
      }
    }
    for (const file of files) add(await readEnvFile(file, settings, signal), `${file}: `)
    add(env, '')
    return found
  }
  const keysOf = (parts: readonly string[]): string[] => {
    const keys: string[] = []
    for (const part of parts) keys.push(view.keyFor(keys, part) ?? camelCase(part))
    return keys
  }
  const pathOf = (name: string): string[] => {
    const parts = name.slice(prefix.length).split(separator)
    if (!parts.includes('')) return keysOf(parts)
    throw new MicroError(
      'invalid_argument',
      `${name}: there is nothing before, between or behind "${separator}"`,
    )
  }
  /** `APP_DB__PASSWORD_FILE` is `db.password`, unless the schema has a `passwordFile` there. */
  const isFile = (name: string): boolean => {
    const parts = name.slice(prefix.length).split(separator)
    const last = parts.pop() ?? ''
    if (!last.endsWith(fileSuffix) || last === fileSuffix) return false
    return view.keyFor(keysOf(parts), last) === undefined
  }

  return {
    name: 'env',
    contract: 'config/0',
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health: () => ({ status: lifecycle.closed ? 'down' : 'up' }),
    async load(loadOptions) {
      await lifecycle.connect(loadOptions)
      const signal = loadOptions?.signal
      const values: Record<string, unknown> = {}
      const origins: Record<string, string> = {}
      const variables = await collect(signal)
      for (const variable of variables.values()) {
        const named = isFile(variable.name)
        const name = named ? variable.name.slice(0, -fileSuffix.length) : variable.name
        if (named && variables.has(name)) {
          throw new MicroError(
            'invalid_argument',
            `${name} and ${variable.name} are both set: remove one`,
          )
        }
        const keys = pathOf(name)
        const text = named ? await readSecret(variable, settings, signal) : variable.text
        placeValue(values, keys, parseText(text, keys, view), variable.name)
        origins[keys.join('.')] = variable.origin
      }
      return { values, origins }
    },
  }
}

function camelCase(part: string): string {
  const [first = '', ...rest] = part
    .toLowerCase()
    .split('_')
    .filter((word) => word !== '')
  return first + rest.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
}
