import { type ConfigValues, type ObjectSource, objectSource } from '@micro/core/config'

/** Object sources that say the same where they have the same scope, as files on a disk would. */
export function objectPlaces(): {
  create: (scope: string) => ObjectSource
  write: (scope: string, values: ConfigValues) => void
} {
  const said = new Map<string, ConfigValues>()
  const open = new Map<string, Set<ObjectSource>>()
  return {
    create(scope) {
      const source = objectSource({ values: said.get(scope) ?? {} })
      open.set(scope, (open.get(scope) ?? new Set()).add(source))
      return source
    },
    write(scope, values) {
      said.set(scope, values)
      for (const source of open.get(scope) ?? []) source.replace(values)
    },
  }
}
