import { createService, type Service, type ServiceOptions } from '@micro/core'
import type { TlsSource } from '@micro/core/identity'
import { memoryLogger } from '@micro/core/logger'
import { memoryRegistry } from '@micro/core/registry'
import { memoryStore, type Store } from '@micro/core/store'
import type { Transport } from '@micro/core/transport'
import {
  type Authority,
  type AuthorityOptions,
  createAuthority,
  type X509Identity,
  x509Identity,
} from '@micro/plugin-identity-x509'
import { grpcTransport } from '@micro/plugin-transport-grpc'
import { httpTransport } from '@micro/plugin-transport-http'
import { tcpTransport } from '@micro/plugin-transport-tcp'

/** Every way that a call goes over a network. */
export const wires: Readonly<Record<string, (tls?: TlsSource) => Transport>> = {
  'http/1.1': (tls) => httpTransport({ protocol: 'http1', ...withTls(tls) }),
  'http/2': (tls) => httpTransport({ protocol: 'http2', ...withTls(tls) }),
  grpc: (tls) => grpcTransport(withTls(tls)),
  tcp: (tls) => tcpTransport(withTls(tls)),
}

function withTls(tls: TlsSource | undefined): { readonly tls?: TlsSource } {
  return tls === undefined ? {} : { tls }
}

const trustDomain = 'proof.example'

/** Services with certificates of one authority, in one process but joined by real sockets. */
export interface TrustedFleet extends AsyncDisposable {
  readonly authority: Authority
  /** What the authority keeps, for others that share it. */
  readonly store: Store
  readonly registry: ReturnType<typeof memoryRegistry>
  /** An identity of the fleet, or of another authority. */
  identity(
    service: string,
    options?: { readonly by?: Authority; readonly hosts?: string[] },
  ): Promise<X509Identity>
  /** A service that is closed with the fleet. */
  make(name: string, transport: Transport, options?: Partial<ServiceOptions>): Service
}

export function makeTrustedFleet(options: Partial<AuthorityOptions> = {}): TrustedFleet {
  const store = memoryStore()
  const authority = makeAuthorityOf({ store, ...options })
  const registry = memoryRegistry()
  const opened: AsyncDisposable[] = []
  return {
    authority,
    store,
    registry,
    async identity(service, { by = authority, hosts } = {}) {
      const token = await by.mintToken({ service, ...(hosts === undefined ? {} : { hosts }) })
      const identity = x509Identity({ service, authority: by, trustDomain, token, interval: 100 })
      opened.push(identity)
      return identity
    },
    make(name, transport, over = {}) {
      const service = createService({
        name,
        registry,
        transports: [transport],
        logger: memoryLogger(),
        shutdown: { signals: false, spread: 0, drain: 500 },
        ...over,
      })
      opened.push(service)
      return service
    },
    async [Symbol.asyncDispose]() {
      for (const one of opened.reverse()) await one[Symbol.asyncDispose]()
    },
  }
}

/** An authority of the same trust domain: the fleet's, or somebody else's. */
export function makeAuthorityOf(options: Partial<AuthorityOptions> = {}): Authority {
  return createAuthority({
    store: memoryStore(),
    trustDomain,
    secret: 'a secret that only this process knows',
    ...options,
  })
}
