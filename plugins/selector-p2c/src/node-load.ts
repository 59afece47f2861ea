import type { Outcome } from '@micro/core/selector'
import type { Settings } from './options.ts'

/** What one client has seen of one node. */
export class NodeLoad {
  readonly #settings: Settings
  /** When it joined others; `undefined` for those that were there first. */
  readonly #joined: number | undefined
  /** Milliseconds, of calls that ended, peaks at once and the rest smoothed. */
  #latency = 0
  #seen: number
  #inFlight = 0

  constructor(settings: Settings, now: number, joinsOthers: boolean) {
    this.#settings = settings
    this.#seen = now
    this.#joined = joinsOthers ? now : undefined
  }

  begin(): void {
    this.#inFlight += 1
  }

  end({ latency, failed }: Outcome, now: number): void {
    if (this.#inFlight > 0) this.#inFlight -= 1
    // Not of a clock that is broken.
    const measured = latency >= 0 && Number.isFinite(latency) ? latency : 0
    const { failureCost } = this.#settings
    // One that fails at once must not look fast.
    const sample = failed ? Math.max(measured, failureCost, 2 * this.#latency) : measured
    const kept = this.#kept(now)
    this.#latency =
      sample > this.#latency * kept ? sample : this.#latency * kept + sample * (1 - kept)
    this.#seen = now
  }

  /**
   * How long a call to it would wait, as far as can be told. Old latencies fade, so that a node which
   * was slow is tried again.
   */
  cost(now: number): number {
    return this.#latency * this.#kept(now) * (this.#inFlight + 1) + this.#inFlight * 1e-3
  }

  /** Its share of what it will get in the end, from a quarter to all. */
  share(now: number): number {
    const { slowStart } = this.#settings
    if (this.#joined === undefined || slowStart === 0) return 1
    return Math.min(1, Math.max(0.25, (now - this.#joined) / slowStart))
  }

  #kept(now: number): number {
    const passed = now - this.#seen
    return passed <= 0 ? 1 : Math.exp(-passed / this.#settings.decay)
  }
}
