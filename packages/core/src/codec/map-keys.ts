/** Keys that are looked at again: `repeated` was there before, the others are names. */
export type MapKeyKind = 'repeated' | '__proto__' | 'constructor' | 'prototype' | 'other'

/** Up to here each key is compared with those before it, which needs no memory. */
const few = 16
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** The keys of one map of a binary encoding, as bytes: texts are made of them only where there are many. */
export class MapKeys {
  readonly #bytes: Uint8Array
  /** Start and end of each key, one after the other. */
  readonly #places: number[] = []
  readonly #seen: Set<string> | undefined

  constructor(bytes: Uint8Array, count: number) {
    this.#bytes = bytes
    this.#seen = count > few ? new Set() : undefined
  }

  add(start: number, end: number): MapKeyKind {
    const repeated = this.#seen === undefined ? this.#has(start, end) : this.#had(start, end)
    this.#places.push(start, end)
    if (repeated) return 'repeated'
    const length = end - start
    if (length !== 9 && length !== 11) return 'other'
    const name = this.#text(start, end)
    return name === '__proto__' || name === 'constructor' || name === 'prototype' ? name : 'other'
  }

  /** The key that was added last, short enough for an error. */
  last(): string {
    const end = this.#places.at(-1) ?? 0
    const start = this.#places.at(-2) ?? 0
    return JSON.stringify(this.#text(start, end).slice(0, 40))
  }

  #had(start: number, end: number): boolean {
    const seen = this.#seen as Set<string>
    const before = seen.size
    return seen.add(this.#text(start, end)).size === before
  }

  #has(start: number, end: number): boolean {
    const length = end - start
    for (let at = 0; at < this.#places.length; at += 2) {
      const other = this.#places[at] as number
      if ((this.#places[at + 1] as number) - other !== length) continue
      let same = 0
      while (same < length && this.#bytes[other + same] === this.#bytes[start + same]) same++
      if (same === length) return true
    }
    return false
  }

  #text(start: number, end: number): string {
    return decoder.decode(this.#bytes.subarray(start, end))
  }
}
