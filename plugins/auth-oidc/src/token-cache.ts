export interface Lapsing {
  /** Milliseconds since 1970. */
  readonly until: number
}

/** What is known of tokens, until it lapses; over the limit, the oldest is forgotten first. */
export class TokenCache<T extends Lapsing> {
  readonly #kept = new Map<string, T>()
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  get(token: string): T | undefined {
    const kept = this.#kept.get(token)
    if (kept === undefined || kept.until > Date.now()) return kept
    this.#kept.delete(token)
    return undefined
  }

  set(token: string, value: T): void {
    if (this.#limit === 0) return
    this.#kept.delete(token)
    if (this.#kept.size >= this.#limit) {
      const [oldest] = this.#kept.keys()
      if (oldest !== undefined) this.#kept.delete(oldest)
    }
    this.#kept.set(token, value)
  }
}
