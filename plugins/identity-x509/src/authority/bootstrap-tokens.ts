import { createHash, randomBytes } from 'node:crypto'
import { MicroError } from '@micro/core/errors'
import type { Store } from '@micro/core/store'
import type { Names } from '../x509/certificates.ts'
import { encode } from './roots.ts'
import type { Sealing } from './sealing.ts'

const prefix = 'token/'
const marker = 'mbt1'

interface TokenRecord extends Names {
  /** Sealed. */
  readonly secret: string
  /** Digest of the one request that it has been used for. */
  readonly usedFor?: string
}

/** `mbt1.<id>.<secret>`: shown once, to whoever starts the service. */
export interface BootstrapToken {
  readonly id: string
  readonly secret: string
}

/** @throws `invalid_argument` without the token. */
export function parseToken(text: string): BootstrapToken {
  const [kind, id, secret, ...more] = text.trim().split('.')
  if (kind === marker && id && secret && more.length === 0) return { id, secret }
  throw new MicroError('invalid_argument', 'x509Identity option token: it is no bootstrap token')
}

export interface BootstrapTokens {
  mint(names: Names, ttl: number): Promise<string>
  /** What is behind an id, secret included. */
  find(id: string): Promise<{ readonly names: Names; readonly secret: string } | undefined>
  /**
   * Uses it up for one request. The same request may come again, as its answer may have been lost: it
   * gets a certificate for the same key, which only its maker has.
   */
  use(id: string, request: string): Promise<boolean>
}

export function createBootstrapTokens(
  store: Store,
  sealing: () => Promise<Sealing>,
): BootstrapTokens {
  const read = async (id: string) => {
    if (typeof id !== 'string' || !/^[\w-]{22}$/.test(id)) return undefined
    const record = await store.read(prefix + id)
    if (record === undefined) return undefined
    const { version, expiresAt } = record
    const token = JSON.parse(new TextDecoder().decode(record.value)) as TokenRecord
    return { token, version, expiresAt }
  }
  return {
    async mint({ service, hosts }, ttl) {
      const id = randomBytes(16).toString('base64url')
      const secret = randomBytes(32).toString('base64url')
      const record: TokenRecord = { service, hosts, secret: (await sealing()).seal(secret) }
      await store.write(prefix + id, encode(record), { ttl, ifAbsent: true })
      return [marker, id, secret].join('.')
    },
    async find(id) {
      const found = await read(id)
      if (found === undefined) return undefined
      const { service, hosts, secret } = found.token
      return { names: { service, hosts }, secret: (await sealing()).open(secret) }
    },
    async use(id, request) {
      const digest = createHash('sha256').update(request).digest('base64')
      const found = await read(id)
      if (found === undefined) return false
      const { token, version, expiresAt } = found
      if (token.usedFor !== undefined) return token.usedFor === digest
      const left = expiresAt === undefined ? undefined : Math.max(1, expiresAt - Date.now())
      try {
        await store.write(prefix + id, encode({ ...token, usedFor: digest }), {
          ifVersion: version,
          ttl: left,
        })
        return true
      } catch (error) {
        // Somebody else has used it at the same moment, or it has lapsed.
        if (MicroError.is(error, 'aborted')) return false
        throw error
      }
    },
  }
}
