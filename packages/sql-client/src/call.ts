import { unrefTimer } from '@micro/core/component'
import { currentContext, runInRoot } from '@micro/core/context'
import { MicroError, type Processed } from '@micro/core/errors'

export interface CallOptions {
  readonly signal: AbortSignal | undefined
  readonly host: string
  /** Milliseconds in all. */
  readonly timeout: number
  /** Its waits do not keep the process running. */
  readonly background: boolean
}

/** One call's time and cancellation, over all of its attempts. It waits for one thing at a time. */
export class Call {
  /** What it is waiting for, for the error of a time that is over. */
  phase = 'waiting for a connection of the pool'
  /** What is known of its work so far. */
  processed: Processed = 'no'
  /** Why it ended early. */
  reason: unknown
  over = false
  /** Called when it ends early. */
  onOver: (() => void) | undefined
  /** On the clock of `performance.now()`. */
  readonly ends: number
  readonly #options: CallOptions
  readonly #limit: number
  readonly #calls: Calls
  #reject: ((reason: unknown) => void) | undefined
  #wait: ReturnType<typeof setTimeout> | undefined
  #onAbort: (() => void) | undefined

  constructor(calls: Calls, options: CallOptions) {
    this.#calls = calls
    this.#options = options
    // The deadline of the call that is being handled, where it is nearer.
    this.#limit = Math.min(options.timeout, currentContext().remaining())
    this.ends = performance.now() + this.#limit
    const { signal } = options
    if (signal !== undefined) {
      this.#onAbort = () => this.fail(signal.reason)
      signal.addEventListener('abort', this.#onAbort, { once: true })
    }
    calls.add(this)
  }

  /** Milliseconds left, at least 1. */
  get remaining(): number {
    return Math.max(1, Math.ceil(this.ends - performance.now()))
  }

  /** From now on `reject` is called if the call ends early. `false` if it has: then it was called. */
  await(reject: (reason: unknown) => void): boolean {
    this.#reject = reject
    if (this.over) reject(this.reason)
    return !this.over
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.await(reject)) return
      this.#wait = setTimeout(resolve, milliseconds)
      if (this.#options.background) unrefTimer(this.#wait)
    })
  }

  /** Its time is over. */
  expire(): void {
    const { host, timeout } = this.#options
    this.fail(
      new MicroError(
        this.#limit < timeout ? 'deadline_exceeded' : 'unavailable',
        `database at ${host}: not done within ${Math.ceil(this.#limit)} ms, ${this.phase}`,
        { processed: this.processed },
      ),
    )
  }

  fail(reason: unknown): void {
    if (this.over) return
    this.over = true
    this.reason = reason
    this.end()
    this.#reject?.(reason)
    this.onOver?.()
  }

  end(): void {
    clearTimeout(this.#wait)
    if (this.#onAbort !== undefined) {
      this.#options.signal?.removeEventListener('abort', this.#onAbort)
    }
    this.#calls.delete(this)
  }
}

/** Milliseconds by which a call may be late. */
const tick = 20

/** The calls that are under way, with one timer for the time limits of all. */
export class Calls {
  readonly #calls = new Set<Call>()
  #timer: ReturnType<typeof setTimeout> | undefined

  add(call: Call): void {
    this.#calls.add(call)
    if (this.#timer === undefined) this.#arm()
  }

  delete(call: Call): void {
    this.#calls.delete(call)
  }

  failAll(reason: unknown): void {
    for (const call of [...this.#calls]) call.fail(reason)
  }

  #arm(): void {
    // Outside the call that happens to be the first.
    runInRoot(() => {
      this.#timer = unrefTimer(setTimeout(() => this.#look(), tick))
    })
  }

  #look(): void {
    this.#timer = undefined
    const now = performance.now()
    for (const call of [...this.#calls]) if (call.ends <= now) call.expire()
    if (this.#calls.size > 0) this.#arm()
  }
}
