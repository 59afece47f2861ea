import type { Verified } from '@micro/core/auth'
import type { EventFeed, Health } from '@micro/core/component'
import { createEventFeed, createLifecycle, unrefTimer } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import {
  createRenewal,
  type Identity,
  type TlsMaterial,
  type TlsSource,
} from '@micro/core/identity'
import type { Peer } from '@micro/core/transport'
import { settleIdentity, type X509IdentityOptions } from '../options.ts'
import { serviceOf } from '../x509/certificates.ts'
import { createHolder } from './holder.ts'
import type { Trusted } from './trusted.ts'

/** An identity that always has certificates and knows its peers. */
export interface X509Identity extends Identity {
  readonly tls: TlsSource
  accountOf(peer: Peer): Verified | undefined
}

/**
 * A certificate for this service, renewed at two thirds of its life and swapped while servers and
 * clients run, and the accounts of peers by theirs.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function x509Identity(options: X509IdentityOptions): X509Identity {
  const settings = settleIdentity(options)
  const { service, trustDomain, interval, timeout } = settings
  const holder = createHolder(settings)
  const feeds = new Set<EventFeed<TlsMaterial>>()
  let material: TlsMaterial | undefined
  let trusted: Trusted | undefined
  let looking: ReturnType<typeof setTimeout> | undefined
  let stale: string | undefined
  const closing = new AbortController()

  const show = (next: TlsMaterial): void => {
    material = next
    for (const feed of feeds) feed.push(next)
  }
  const renewal = createRenewal<TlsMaterial>({
    subject: `certificate of "${service}"`,
    timeout,
    async issue({ signal }) {
      const held = await holder.obtain({ signal })
      trusted = held.trusted
      const { cert, key } = held
      const value = { cert, key, ca: held.trusted.roots.join('\n') }
      show(value)
      return { value, expiresAt: held.expiresAt }
    },
  })
  const look = async (): Promise<void> => {
    try {
      const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(timeout)])
      const next = await holder.lookForTrust({ signal })
      stale = undefined
      const ca = next.roots.join('\n')
      trusted = next
      if (material !== undefined && material.ca !== ca) show({ ...material, ca })
    } catch (error) {
      stale = MicroError.is(error) ? error.detail : String(error)
    }
    if (!closing.signal.aborted) lookLater()
  }
  const lookLater = (): void => {
    looking = unrefTimer(setTimeout(() => void look(), interval))
  }
  const lifecycle = createLifecycle({
    label: 'identity "x509"',
    async open() {
      await renewal.get()
      lookLater()
    },
    close() {
      closing.abort()
      clearTimeout(looking)
      renewal.stop()
      for (const feed of feeds) feed.end()
    },
  })
  const tls: TlsSource = {
    current() {
      if (lifecycle.opened && material !== undefined) return material
      throw new MicroError(
        'failed_precondition',
        lifecycle.closed ? 'identity "x509" is closed' : 'connect identity "x509" first',
      )
    },
    watch() {
      const feed = createEventFeed<TlsMaterial>({
        // Only the newest is of use.
        keyOf: () => '',
        overflow: material as TlsMaterial,
        onClose: () => feeds.delete(feed),
      })
      feeds.add(feed)
      if (lifecycle.closed) feed.end()
      return feed.watcher
    },
  }
  const accountOf = (id: string): Verified['account'] => ({
    id,
    type: 'service',
    issuer: `spiffe://${trustDomain}`,
    scopes: ['service', `service:${id}`],
    metadata: {},
  })

  return {
    name: 'x509',
    contract: 'identity/0',
    supports: { token: false, tls: true, peers: true },
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health(): Health {
      const health = renewal.health()
      if (health.status !== 'up' || stale === undefined) return health
      return { status: 'degraded', detail: `roots and denials as last known: ${stale}` }
    },
    tls,
    accountOf({ transport, certificate }: Peer): Verified | undefined {
      if (transport === 'memory') return { account: accountOf(service), expiresAt: undefined }
      if (certificate === undefined) return undefined
      const id = serviceOf(trustDomain, certificate.uris)
      if (id === undefined) return undefined
      const { denied } = trusted ?? {}
      const isDenied =
        denied?.services.includes(id) === true ||
        denied?.fingerprints.includes(certificate.fingerprint) === true
      if (isDenied || certificate.expiresAt <= Date.now()) {
        throw new MicroError('unauthenticated', 'the certificate is not valid any more')
      }
      return { account: accountOf(id), expiresAt: certificate.expiresAt }
    },
  }
}
