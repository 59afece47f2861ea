import { unrefTimer } from '../component/timing.ts'

interface Due {
  readonly at: number
  readonly key: string
}

/** The longest wait that timers can have. */
const longestWait = 2 ** 31 - 1

/** Calls `expire` for each key at its time, by one unref'd timer for the earliest. */
export class ExpiryQueue {
  // A binary heap; entries of records that were changed meanwhile are harmless, `expire` looks.
  readonly #heap: Due[] = []
  readonly #expire: (key: string, now: number) => void
  #timer: ReturnType<typeof setTimeout> | undefined
  #timerAt = Number.POSITIVE_INFINITY

  constructor(expire: (key: string, now: number) => void) {
    this.#expire = expire
  }

  /** `at` in milliseconds since 1970. */
  add(key: string, at: number): void {
    const heap = this.#heap
    let child = heap.push({ at, key }) - 1
    while (child > 0) {
      const parent = (child - 1) >> 1
      if ((heap[parent] as Due).at <= at) break
      this.#swap(parent, child)
      child = parent
    }
    this.#arm()
  }

  clear(): void {
    this.#heap.length = 0
    clearTimeout(this.#timer)
    this.#timerAt = Number.POSITIVE_INFINITY
  }

  #arm(): void {
    const first = this.#heap[0]
    if (first === undefined || first.at >= this.#timerAt) return
    clearTimeout(this.#timer)
    this.#timerAt = first.at
    const wait = Math.min(longestWait, Math.max(0, first.at - Date.now()))
    this.#timer = unrefTimer(setTimeout(() => this.#run(), Math.ceil(wait)))
  }

  #run(): void {
    this.#timerAt = Number.POSITIVE_INFINITY
    const now = Date.now()
    for (let first = this.#heap[0]; first !== undefined && first.at <= now; first = this.#heap[0]) {
      this.#removeFirst()
      this.#expire(first.key, now)
    }
    this.#arm()
  }

  #removeFirst(): void {
    const heap = this.#heap
    const last = heap.pop() as Due
    if (heap.length === 0) return
    heap[0] = last
    let parent = 0
    for (;;) {
      const left = 2 * parent + 1
      if (left >= heap.length) return
      const right = left + 1
      const smaller =
        right < heap.length && (heap[right] as Due).at < (heap[left] as Due).at ? right : left
      if ((heap[smaller] as Due).at >= last.at) return
      this.#swap(parent, smaller)
      parent = smaller
    }
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap
    const held = heap[a] as Due
    heap[a] = heap[b] as Due
    heap[b] = held
  }
}
