import { overlay } from './overlay.ts'

/** Ends every iteration of `source` with an error once `items` have been read, and frees the source. */
export function cut<S extends AsyncIterable<unknown>>(
  source: S,
  items: number,
  error: () => Error,
): S {
  const begin = (): AsyncIterableIterator<unknown> =>
    cutIterator(source[Symbol.asyncIterator](), items, error)
  const isIterator = typeof Reflect.get(source, 'next') === 'function'
  // A watcher or stream is read once, however often it is asked for its iterator.
  const only = isIterator ? begin() : undefined
  const cutSource: S = overlay(source, (key, value) => {
    if (key === Symbol.asyncIterator) return only === undefined ? begin : () => cutSource
    if (only !== undefined && (key === 'next' || key === 'return')) return only[key]
    return value
  })
  return cutSource
}

function cutIterator(
  iterator: AsyncIterator<unknown>,
  items: number,
  error: () => Error,
): AsyncIterableIterator<unknown> {
  let left = items
  let over = false
  const cutOff: AsyncIterableIterator<unknown> = {
    async next() {
      if (over) return { done: true, value: undefined }
      if (left <= 0) {
        over = true
        await Promise.resolve(iterator.return?.()).catch(() => undefined)
        throw error()
      }
      left -= 1
      const result = await iterator.next()
      if (result.done === true) over = true
      return result
    },
    async return() {
      over = true
      await iterator.return?.()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => cutOff,
  }
  return cutOff
}
