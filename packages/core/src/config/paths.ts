/** Paths of a type: `server`, `server.port`. Below arrays and beyond six levels there are none. */
export type PathOf<T, Depth extends readonly unknown[] = []> = Depth['length'] extends 6
  ? never
  : T extends readonly unknown[]
    ? never
    : T extends object
      ? {
          [K in keyof T & string]: K | `${K}.${PathOf<NonNullable<T[K]>, [...Depth, unknown]>}`
        }[keyof T & string]
      : never

/** The type of what lies at a path. */
export type ValueAt<T, P extends string> = P extends `${infer Head}.${infer Rest}`
  ? Head extends keyof T
    ? ValueAt<NonNullable<T[Head]>, Rest>
    : unknown
  : P extends keyof T
    ? T[P]
    : unknown

export function isTree(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

export function valueAt(tree: unknown, path: string): unknown {
  let value = tree
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

/** Whether `path` is one of the `patterns` or below one; `*` stands for any one key. */
export function matchesAny(patterns: readonly string[], path: string): boolean {
  const keys = path.split('.')
  return patterns.some((pattern) => {
    const wanted = pattern.split('.')
    return (
      wanted.length <= keys.length && wanted.every((key, at) => key === '*' || key === keys[at])
    )
  })
}

/** Compares plain data. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  // Dates, URLs and the like are compared by what they say.
  if (!isTree(a) && !Array.isArray(a)) return String(a) === String(b)
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every(
    (key) =>
      Object.hasOwn(b, key) &&
      sameValue((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
  )
}

/** Makes plain data unchangeable all the way down. */
export function freeze<T>(value: T): T {
  if (!isTree(value) && !Array.isArray(value)) return value
  if (Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const inner of Object.values(value)) freeze(inner)
  return value
}
