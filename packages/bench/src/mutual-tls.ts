import { createService, defineService, type Service, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { memoryRegistry } from '@micro/core/registry'
import { memoryStore } from '@micro/core/store'
import type { Transport } from '@micro/core/transport'
import { createAuthority, type X509Identity, x509Identity } from '@micro/plugin-identity-x509'
import { grpcTransport } from '@micro/plugin-transport-grpc'
import { httpTransport } from '@micro/plugin-transport-http'
import { tcpTransport } from '@micro/plugin-transport-tcp'
import { compare, inFlight } from './measure.ts'
import { type Payload, payload } from './payload.ts'

const Remote = defineService('remote', { echo: unary<Payload, Payload>() })
/** What nobody allows is denied where accounts are known. */
const Guarded = defineService('remote', {
  echo: unary<Payload, Payload>({ access: { scopes: ['service:client'] } }),
})
const trustDomain = 'bench.example'

const wires: Readonly<Record<string, (identity?: X509Identity) => Transport>> = {
  http: (identity) => httpTransport({ protocol: 'http1', ...tlsOf(identity) }),
  grpc: (identity) => grpcTransport(tlsOf(identity)),
  tcp: (identity) => tcpTransport(tlsOf(identity)),
}

const tlsOf = (identity: X509Identity | undefined) =>
  identity === undefined ? {} : { tls: identity.tls }

interface Pair {
  readonly client: Service
  readonly server: Service
}

/** What mutual TLS costs a call on each transport, peers as accounts included; both ends in one process. */
export async function benchMutualTls(): Promise<void> {
  const authority = createAuthority({
    store: memoryStore(),
    trustDomain,
    secret: 'a secret of the bench',
  })
  const identityOf = async (service: string): Promise<X509Identity> =>
    x509Identity({
      service,
      authority,
      trustDomain,
      token: await authority.mintToken({ service }),
    })
  for (const [name, open] of Object.entries(wires)) {
    const clear = await connect(open)
    const identities = [await identityOf('remote'), await identityOf('client')] as const
    const mutual = await connect(open, identities)
    for (const [label, width, calls] of [
      ['sequential', 1, 2_000],
      ['64 in flight', 64, 8_000],
    ] as const) {
      const sideOf = (what: string, { client }: Pair) => {
        const remote = client.client(Remote)
        return {
          name: what,
          run: (n: number) => inFlight(n, width, () => remote.echo(payload)),
          cpu: async () => {
            const { user, system } = process.cpuUsage()
            return user + system
          },
        }
      }
      await compare({
        what: `${name}, unary JSON with mutual TLS against cleartext, ${label}`,
        ours: sideOf('mutual TLS', mutual),
        peer: sideOf('cleartext', clear),
        calls,
      })
    }
    for (const { client, server } of [clear, mutual]) {
      await client.stop()
      await server.stop()
    }
  }
}

async function connect(
  open: (identity?: X509Identity) => Transport,
  identities?: readonly [server: X509Identity, client: X509Identity],
): Promise<Pair> {
  const registry = memoryRegistry()
  const make = (name: string, identity: X509Identity | undefined): Service =>
    createService({
      name,
      registry,
      logger: memoryLogger(),
      transports: [open(identity)],
      shutdown: { signals: false, spread: 0 },
      ...(identity === undefined ? {} : { identity, zeroTrust: true }),
    })
  const server = make('remote', identities?.[0])
  const definition = identities === undefined ? Remote : Guarded
  server.handle(definition, { echo: (input) => input })
  await server.start()
  const client = make('client', identities?.[1])
  await client.start()
  return { client, server }
}
