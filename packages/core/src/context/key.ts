declare const valueType: unique symbol

/** Names a value of type `T` that travels with a context; made once, at module level. */
export interface ContextKey<T> {
  readonly id: symbol
  readonly [valueType]?: T
}

/** Two copies of a library that use the same `name` share the value. */
export function createContextKey<T>(name: string): ContextKey<T> {
  return { id: Symbol.for(`micro.context.${name}`) }
}
