import { createHash, randomBytes } from 'node:crypto'
import { invalidToken, type Subject } from '@micro/core/auth'
import type { AbortOptions } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { Store } from '@micro/core/store'

/** All that came of one `issue`. */
export interface Family {
  readonly id: string
  readonly subject: Subject
  readonly ttl: number
  readonly refreshTtl: number
}

interface Kept extends Family {
  readonly used: boolean
}

/** Opaque tokens, kept by their SHA-256 digests; each is good for one use. */
export interface RefreshTokens {
  make(family: Family, options: AbortOptions): Promise<{ token: string; expiresAt: number }>
  /**
   * Uses one up.
   *
   * @throws `unauthenticated` for what is none. `reused` is told of the family of one used before.
   */
  use(
    token: string,
    reused: (family: Family) => Promise<void>,
    options: AbortOptions,
  ): Promise<Family>
  find(token: string, options: AbortOptions): Promise<Family | undefined>
}

export function createRefreshTokens(store: Store): RefreshTokens {
  const read = async (token: string, options: AbortOptions) => {
    const key = `refresh/${createHash('sha256').update(token).digest('base64url')}`
    const record = await store.read(key, options)
    if (record === undefined) return undefined
    const kept = JSON.parse(new TextDecoder().decode(record.value)) as Kept
    return { key, record, kept }
  }
  const encode = (kept: Kept): Uint8Array => new TextEncoder().encode(JSON.stringify(kept))

  return {
    async make(family, { signal }) {
      const token = randomBytes(32).toString('base64url')
      const key = `refresh/${createHash('sha256').update(token).digest('base64url')}`
      const ttl = family.refreshTtl
      const expiresAt = Date.now() + ttl
      await store.write(key, encode({ ...family, used: false }), { ttl, ifAbsent: true, signal })
      return { token, expiresAt }
    },
    async use(token, reused, { signal }) {
      const found = await read(token, { signal })
      if (found === undefined) throw invalidToken()
      const { key, record, kept } = found
      const left = (record.expiresAt ?? Number.POSITIVE_INFINITY) - Date.now()
      if (left <= 0) throw invalidToken()
      try {
        if (kept.used) throw new MicroError('aborted', 'used before')
        const used = encode({ ...kept, used: true })
        await store.write(key, used, { ttl: Math.ceil(left), ifVersion: record.version, signal })
      } catch (error) {
        if (!MicroError.is(error, 'aborted')) throw error
        // By now or a moment ago, somebody else has used it: one of the two is a thief.
        await reused(kept)
        throw invalidToken()
      }
      return kept
    },
    find: async (token, options) => (await read(token, options))?.kept,
  }
}
