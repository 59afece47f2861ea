import { compareKeys } from './store-rules.ts'

const chunkSize = 256

/**
 * A set of keys in order. Sorted chunks: adding and removing move at most a chunk, and a range costs
 * a search and what it returns, however many keys there are.
 */
export class OrderedKeys {
  readonly #chunks: string[][] = []

  add(key: string): void {
    const at = this.#chunkFor(key)
    const chunk = this.#chunks[at]
    if (chunk === undefined) {
      this.#chunks.push([key])
      return
    }
    const position = firstAtLeast(chunk, key)
    if (chunk[position] === key) return
    chunk.splice(position, 0, key)
    if (chunk.length <= chunkSize) return
    // Keys that only ever grow leave full chunks behind, others half-full ones.
    const keep = position === chunk.length - 1 ? chunkSize : chunkSize / 2
    this.#chunks.splice(at + 1, 0, chunk.splice(keep))
  }

  delete(key: string): void {
    const at = this.#chunkFor(key)
    const chunk = this.#chunks[at]
    if (chunk === undefined) return
    const position = firstAtLeast(chunk, key)
    if (chunk[position] !== key) return
    chunk.splice(position, 1)
    if (chunk.length === 0) this.#chunks.splice(at, 1)
  }

  /** Up to `limit` keys in order: from `start` on, without `start` itself if `beyond`. */
  range(start: string, beyond: boolean, limit: number): string[] {
    const found: string[] = []
    let at = this.#chunkFor(start)
    let position = firstAtLeast(this.#chunks[at] ?? [], start)
    if (beyond && this.#chunks[at]?.[position] === start) position += 1
    for (; found.length < limit && at < this.#chunks.length; at++, position = 0) {
      const chunk = this.#chunks[at] as string[]
      for (let next = position; next < chunk.length && found.length < limit; next++) {
        found.push(chunk[next] as string)
      }
    }
    return found
  }

  /** The last chunk that begins at or before `key`, else the first. */
  #chunkFor(key: string): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareKeys((this.#chunks[middle] as string[])[0] as string, key) <= 0) low = middle + 1
      else high = middle
    }
    return Math.max(0, low - 1)
  }
}

function firstAtLeast(chunk: readonly string[], key: string): number {
  let low = 0
  let high = chunk.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareKeys(chunk[middle] as string, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
