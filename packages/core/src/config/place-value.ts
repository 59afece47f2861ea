import { MicroError } from '../errors/micro-error.ts'

/**
 * Puts a value at its path, for sources whose values come one by one. `name` is its place for people.
 *
 * @throws `invalid_argument` where another value is in the way.
 */
export function placeValue(
  values: Record<string, unknown>,
  keys: readonly string[],
  value: unknown,
  name: string,
): void {
  let tree = values
  for (const [at, key] of keys.entries()) {
    const last = at === keys.length - 1
    const there = Object.hasOwn(tree, key) ? tree[key] : undefined
    const isTree = typeof there === 'object' && there !== null && !Array.isArray(there)
    if (there !== undefined && (last || !isTree)) {
      throw new MicroError(
        'invalid_argument',
        `${name}: another one says ${keys.slice(0, at + 1).join('.')} already`,
      )
    }
    // Defined, so that `__proto__` becomes a key, which core then refuses by its path.
    if (last || !isTree) {
      const made = last ? value : {}
      Object.defineProperty(tree, key, {
        value: made,
        enumerable: true,
        configurable: true,
        writable: true,
      })
    }
    if (!last) tree = tree[key] as Record<string, unknown>
  }
}
