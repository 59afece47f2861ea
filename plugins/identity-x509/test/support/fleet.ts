import { X509Certificate } from 'node:crypto'
import { memoryStore, type Store } from '@micro/core/store'
import { describeCertificate, type PeerCertificate } from '@micro/core/transport'
import {
  type Authority,
  type AuthorityApi,
  type AuthorityOptions,
  createAuthority,
  type X509Identity,
  type X509IdentityOptions,
  x509Identity,
} from '@micro/plugin-identity-x509'
import { afterEach } from 'vitest'

export const trustDomain = 'fleet.example'
export const secret = 'correct horse battery staple'

const opened: X509Identity[] = []
afterEach(async () => {
  for (const identity of opened.splice(0)) await identity.close()
})

export interface Fleet {
  readonly store: Store
  readonly authority: Authority
  /** Another instance of it, over the same store. */
  readonly other: (options?: Partial<AuthorityOptions>) => Authority
  readonly identity: (
    service: string,
    options?: Partial<X509IdentityOptions>,
  ) => Promise<X509Identity>
}

/** An authority and what enrols with it. */
export function makeFleet(options: Partial<AuthorityOptions> = {}): Fleet {
  const store = memoryStore()
  const other = (over: Partial<AuthorityOptions> = {}): Authority =>
    createAuthority({ store, trustDomain, secret, ...options, ...over })
  const authority = other()
  return {
    store,
    authority,
    other,
    async identity(service, over = {}) {
      const token = await authority.mintToken({ service })
      const made = x509Identity({ service, authority, trustDomain, token, ...over })
      opened.push(made)
      return made
    },
  }
}

/** The authority, with some of its answers replaced. */
export function through(authority: Authority, over: Partial<AuthorityApi>): AuthorityApi {
  return {
    enrol: (request) => authority.enrol(request),
    renew: (request) => authority.renew(request),
    trust: (request) => authority.trust(request),
    ...over,
  }
}

export function shownBy(identity: X509Identity): X509Certificate {
  return new X509Certificate(identity.tls.current().cert ?? '')
}

export function peerOf(identity: X509Identity): {
  transport: string
  address: string
  certificate: PeerCertificate
} {
  return {
    transport: 'tcp',
    address: '10.0.0.1:1',
    certificate: describeCertificate(shownBy(identity)),
  }
}

export async function refusalOf(promise: Promise<unknown> | unknown): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return (error as { code?: unknown }).code
  }
  return 'not refused'
}
