/** Nodes by their next turn, the earliest first: a binary heap of indices. */
export class TurnHeap {
  readonly #turns: Float64Array
  readonly #heap: Uint32Array
  #size = 0

  constructor(turns: readonly number[]) {
    this.#turns = Float64Array.from(turns)
    this.#heap = new Uint32Array(turns.length)
    for (let at = 0; at < turns.length; at++) this.put(at, turns[at] as number)
  }

  get size(): number {
    return this.#size
  }

  /** The turn that is next, or was last. */
  get earliest(): number {
    return this.#size === 0 ? 0 : this.of(this.#heap[0] as number)
  }

  of(at: number): number {
    return this.#turns[at] as number
  }

  /** Takes out whose turn it is. */
  take(): number {
    const heap = this.#heap
    const first = heap[0] as number
    this.#size -= 1
    const moved = heap[this.#size] as number
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= this.#size) break
      if (
        child + 1 < this.#size &&
        this.#isBefore(heap[child + 1] as number, heap[child] as number)
      )
        child += 1
      if (!this.#isBefore(heap[child] as number, moved)) break
      heap[place] = heap[child] as number
      place = child
    }
    heap[place] = moved
    return first
  }

  put(at: number, turn: number): void {
    this.#turns[at] = turn
    const heap = this.#heap
    let place = this.#size
    this.#size += 1
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!this.#isBefore(at, heap[parent] as number)) break
      heap[place] = heap[parent] as number
      place = parent
    }
    heap[place] = at
  }

  #isBefore(one: number, other: number): boolean {
    const difference = this.of(one) - this.of(other)
    return difference < 0 || (difference === 0 && one < other)
  }
}
