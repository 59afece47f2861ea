/**
 * Looks like `target`, with what `replace` makes of its members. Methods run on `target` itself, so
 * private fields and `this` are as they were.
 *
 * The proxy is over an empty object, since one over a frozen target may not replace anything.
 */
export function overlay<T extends object>(
  target: T,
  replace: (key: PropertyKey, value: unknown) => unknown,
): T {
  const bound = new Map<PropertyKey, { readonly from: unknown; readonly to: unknown }>()
  const read = (key: PropertyKey): unknown => {
    const from: unknown = Reflect.get(target, key, target)
    const before = bound.get(key)
    // The same function each time, as callers may compare.
    if (before !== undefined && before.from === from) return before.to
    const replaced = replace(key, from)
    if (replaced === from && typeof from !== 'function') return from
    const to = replaced === from ? bind(from, target) : replaced
    bound.set(key, { from, to })
    return to
  }
  const shadow: object = Object.create(Object.getPrototypeOf(target))
  return new Proxy(shadow, {
    get: (_shadow, key) => read(key),
    set: (_shadow, key, value) => Reflect.set(target, key, value, target),
    has: (_shadow, key) => Reflect.has(target, key) || read(key) !== undefined,
    ownKeys: () => Reflect.ownKeys(target),
    getOwnPropertyDescriptor(_shadow, key) {
      const own = Reflect.getOwnPropertyDescriptor(target, key)
      if (own === undefined) return undefined
      const { enumerable = false } = own
      return { configurable: true, enumerable, writable: true, value: read(key) }
    },
  }) as T
}

function bind(value: unknown, target: object): unknown {
  if (typeof value !== 'function') return value
  return (...args: unknown[]) => Reflect.apply(value, target, args)
}
