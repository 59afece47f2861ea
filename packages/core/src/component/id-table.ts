export interface Numbered {
  /** A whole number above 0. */
  readonly id: number
}

const fewest = 64

/**
 * What is under way on one connection, as calls are, by ids that grow.
 *
 * A `Map` would do but for this: when it moves to a larger table the old one keeps a reference to the new.
 * Once an old one has grown old itself, the collector takes all tables after it, and what they hold, for alive
 * until its next full collection.
 */
export class IdTable<T extends Numbered> {
  /** Each at the last bits of its id. */
  #slots: (T | undefined)[] = new Array<T | undefined>(fewest).fill(undefined)
  #mask = fewest - 1
  /** Those that had to make room for a later one: they live for long. */
  readonly #others = new Map<number, T>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: number): T | undefined {
    const found = this.#slots[id & this.#mask]
    if (found?.id === id) return found
    return this.#others.size === 0 ? undefined : this.#others.get(id)
  }

  /** @param value One whose id is not in the table. */
  add(value: T): void {
    this.#size += 1
    for (;;) {
      const at = value.id & this.#mask
      const other = this.#slots[at]
      if (other !== undefined) {
        if (this.#size * 2 > this.#slots.length) {
          this.#grow()
          continue
        }
        this.#others.set(other.id, other)
      }
      this.#slots[at] = value
      return
    }
  }

  /** Whether it was there. */
  delete(id: number): boolean {
    const at = id & this.#mask
    if (this.#slots[at]?.id === id) this.#slots[at] = undefined
    else if (this.#others.size === 0 || !this.#others.delete(id)) return false
    this.#size -= 1
    return true
  }

  /** A copy, in no order. */
  all(): readonly T[] {
    const inSlots = this.#slots.filter((value) => value !== undefined)
    return this.#others.size === 0 ? inSlots : [...inSlots, ...this.#others.values()]
  }

  #grow(): void {
    const before = this.#slots
    this.#mask = before.length * 2 - 1
    this.#slots = new Array<T | undefined>(before.length * 2).fill(undefined)
    // No two of them can meet, as their ids differed in fewer bits already.
    for (const value of before) if (value !== undefined) this.#slots[value.id & this.#mask] = value
  }
}
