import { authConformance } from '@micro/conformance/auth'
import { oidcAuth } from '@micro/plugin-auth-oidc'
import { afterAll } from 'vitest'
import { client, newKey, startProvider } from './support/provider.ts'

const algorithms = ['ES256', 'RS256', 'PS256', 'EdDSA'] as const
const keys = await Promise.all(algorithms.map((alg) => newKey(alg)))
const provider = await startProvider({ keys })
afterAll(() => provider.stop())

/** An audience for each scope. */
const audience = (scope: string): string => `urn:example:${scope}`

for (const alg of [...algorithms, 'opaque'] as const) {
  authConformance({
    name: `oidc, ${alg}`,
    // Tokens tell whole seconds.
    ttl: 1_000,
    create: (scope) =>
      oidcAuth({
        issuer: provider.issuer,
        audience: audience(scope),
        account: ({ metadata }) => ({ metadata: metadata as Record<string, string> }),
        introspection: { clientId: client.id, clientSecret: client.secret },
        clockTolerance: 0,
      }),
    obtain: (_auth, { id, scopes, metadata }, { scope, ttl }) =>
      provider.token({
        account: id,
        resource: audience(scope),
        scope: scopes.join(' '),
        ttl: ttl / 1_000,
        extra: { metadata },
        ...(alg === 'opaque' ? { format: 'opaque' } : { alg }),
      }),
  })
}
