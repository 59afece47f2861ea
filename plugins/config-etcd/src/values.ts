import { MicroError } from '@micro/core/errors'

/** Another tree, with `value` at its path; without it if that is `undefined`. */
export function withValue(
  tree: object,
  [key = '', ...rest]: readonly string[],
  value: unknown,
): object {
  const inner: unknown = Object.hasOwn(tree, key) ? Reflect.get(tree, key) : undefined
  const next = rest.length === 0 ? value : withValue(isTree(inner) ? inner : {}, rest, value)
  const others = Object.entries(tree).filter(([name]) => name !== key)
  return Object.fromEntries(next === undefined ? others : [...others, [key, next]])
}

/**
 * What JSON cannot hold would be lost without a word.
 *
 * @throws `invalid_argument` with the path of what is refused.
 */
export function checkValue(value: unknown, path: string): void {
  if (typeof value === 'object' && value !== null) {
    if (!Array.isArray(value) && !isTree(value)) throw notWritable(path)
    for (const [key, inner] of Object.entries(value)) {
      checkValue(inner, path === '' ? key : `${path}.${key}`)
    }
    return
  }
  const isPlain = value === null || ['string', 'boolean', 'undefined'].includes(typeof value)
  if (!isPlain && !Number.isFinite(value)) throw notWritable(path)
}

function notWritable(path: string): MicroError {
  return new MicroError(
    'invalid_argument',
    `${path}: give texts, finite numbers, booleans, null, lists and trees of them`,
  )
}

export function isTree(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** @throws `invalid_argument` for a path with an empty part. */
export function keysOf(path: string): string[] {
  if (path === '') return []
  const keys = path.split('.')
  if (!keys.includes('')) return keys
  throw new MicroError('invalid_argument', `path ${JSON.stringify(path)}; give one such as db.host`)
}
