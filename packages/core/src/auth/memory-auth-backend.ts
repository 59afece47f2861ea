import { MicroError } from '../errors/micro-error.ts'
import { ExpiryQueue } from '../store/expiry-queue.ts'
import type { Subject } from './auth.ts'

export interface MemoryAuthLimits {
  /** Tokens that are kept, of both kinds. @default 1000000 */
  readonly tokens?: number | undefined
}

/** All that came of one `issue`. */
export interface Family {
  readonly subject: Subject
  readonly ttl: number
  readonly refreshTtl: number | false
  readonly digests: Set<string>
}

export interface KeptToken {
  readonly kind: 'access' | 'refresh'
  readonly family: Family
  readonly expiresAt: number
  /** A refresh token is kept when it has been used, so that a second use is noticed. */
  used: boolean
}

/** What stands in for a server: the tokens that several memory auths can share. */
export class MemoryAuthBackend {
  readonly #tokens = new Map<string, KeptToken>()
  readonly #limit: number
  readonly #expiry = new ExpiryQueue((digest, now) => {
    const token = this.#tokens.get(digest)
    if (token !== undefined && token.expiresAt <= now) this.remove(digest)
  })

  constructor(limits: MemoryAuthLimits = {}) {
    this.#limit = limits.tokens ?? 1_000_000
  }

  add(digest: string, token: KeptToken): void {
    if (this.#tokens.size >= this.#limit) {
      throw new MicroError(
        'resource_exhausted',
        `${this.#tokens.size} tokens are kept, of at most ${this.#limit} (limits.tokens)`,
      )
    }
    this.#tokens.set(digest, token)
    token.family.digests.add(digest)
    this.#expiry.add(digest, token.expiresAt)
  }

  /** The token of this digest, if it is of the kind and has not lapsed. */
  find(digest: string, kind: KeptToken['kind']): KeptToken | undefined {
    const token = this.#tokens.get(digest)
    return token?.kind === kind && token.expiresAt > Date.now() ? token : undefined
  }

  remove(digest: string): void {
    this.#tokens.get(digest)?.family.digests.delete(digest)
    this.#tokens.delete(digest)
  }

  removeFamily(family: Family): void {
    for (const digest of family.digests) this.remove(digest)
  }
}
