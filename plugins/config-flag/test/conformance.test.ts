import { configConformance } from '@micro/conformance/config'
import type { ConfigValues } from '@micro/core/config'
import { flagSource } from '@micro/plugin-config-flag'

const lines = new Map<string, string[]>()

function flagsOf(tree: ConfigValues, above = '--'): string[] {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'object'
      ? flagsOf(value as ConfigValues, `${above}${key}.`)
      : [`${above}${key}=${String(value)}`],
  )
}

configConformance({
  name: 'flag',
  stringsOnly: true,
  create(scope) {
    // One list for all instances of the scope, as a process has one command line.
    const args = lines.get(scope) ?? []
    lines.set(scope, args)
    return flagSource({ args })
  },
  write(scope, values) {
    const args = lines.get(scope) ?? []
    lines.set(scope, args)
    args.splice(0, args.length, ...flagsOf(values))
  },
})
