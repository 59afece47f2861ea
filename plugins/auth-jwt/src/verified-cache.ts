import type { Verified } from '@micro/core/auth'

export interface Proved extends Verified {
  readonly expiresAt: number
  /** Names under which it can be revoked. */
  readonly ids: readonly string[]
  /** Of the keys that it was proved by. */
  readonly generation: number
}

/** Proofs of tokens, the oldest forgotten first. */
export class VerifiedCache {
  readonly #proofs = new Map<string, Proved>()
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  get(token: string): Proved | undefined {
    return this.#proofs.get(token)
  }

  set(token: string, proved: Proved): void {
    if (this.#limit === 0) return
    if (this.#proofs.size >= this.#limit) {
      const [oldest] = this.#proofs.keys()
      if (oldest !== undefined) this.#proofs.delete(oldest)
    }
    this.#proofs.set(token, proved)
  }

  delete(token: string): void {
    this.#proofs.delete(token)
  }
}
