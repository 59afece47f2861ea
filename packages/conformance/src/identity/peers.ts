import type { Identity } from '@micro/core/identity'
import type { Peer, PeerCertificate } from '@micro/core/transport'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import type { IdentitySuiteOptions } from './options.ts'

const supported = (identity: Identity): boolean => identity.supports.peers

function peerWith(certificate: PeerCertificate | undefined): Peer {
  const peer = { transport: 'tcp', address: '10.0.0.7:50412' }
  return certificate === undefined ? peer : { ...peer, certificate }
}

function outcomeOf(look: () => unknown): unknown {
  try {
    return look()
  } catch (error) {
    return (error as { code?: unknown }).code
  }
}

export function peers({ peerOf }: IdentitySuiteOptions): Trait<Identity> {
  return {
    name: 'peers',
    cases: [
      {
        name: 'a caller in process is the service itself',
        supported,
        absent: async (harness) => {
          expect((await harness.open()).accountOf).toBeUndefined()
        },
        run: async (harness) => {
          const identity = await harness.open()
          await identity.connect()
          const own = identity.accountOf?.({ transport: 'memory', address: 'in process' })
          expect(own?.account.id).toMatch(/./)
          expect(own?.account.type).toBe('service')
        },
      },
      {
        name: 'a peer without a certificate, or with one of another world, is nobody',
        supported,
        run: async (harness) => {
          const identity = await harness.open()
          await identity.connect()
          expect(identity.accountOf?.(peerWith(undefined))).toBeUndefined()
          const expiresAt = Date.now() + 60_000
          for (const uris of [
            [],
            ['https://example.org/a'],
            ['spiffe://other.example/service/a'],
          ]) {
            const foreign = {
              uris,
              dnsNames: ['a.example'],
              fingerprint: '0'.repeat(64),
              expiresAt,
            }
            expect(identity.accountOf?.(peerWith(foreign))).toBeUndefined()
          }
        },
      },
      {
        name: 'a peer of the fleet is an account, as long as its certificate holds',
        supported,
        run: async (harness) => {
          const identity = await harness.open()
          await identity.connect()
          const known = await peerOf?.(harness.scope)
          if (known === undefined) throw new Error('the suite needs peerOf')
          const { certificate, id } = known
          const verified = identity.accountOf?.(peerWith(certificate))
          expect(verified?.account).toMatchObject({ id, type: 'service' })
          expect(verified?.account.issuer).toMatch(/./)
          expect(verified?.expiresAt).toBe(certificate.expiresAt)
          const lapsed = { ...certificate, expiresAt: Date.now() - 1 }
          expect(outcomeOf(() => identity.accountOf?.(peerWith(lapsed)))).toBe('unauthenticated')
          const twofold = { ...certificate, uris: [...certificate.uris, ...certificate.uris] }
          expect(outcomeOf(() => identity.accountOf?.(peerWith(twofold)))).not.toMatchObject({
            account: { id },
          })
        },
      },
    ],
  }
}
