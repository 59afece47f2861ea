import { authConformance } from '@micro/conformance/auth'
import { MemoryStoreBackend, memoryStore } from '@micro/core/store'
import { generateJwtKey, type JwtKey, jwtAuth } from '@micro/plugin-auth-jwt'

for (const alg of ['EdDSA', 'ES256', 'RS256'] as const) {
  /** What instances of one scope share: a key and a store. */
  const scopes = new Map<string, { key: Promise<JwtKey>; backend: MemoryStoreBackend }>()
  authConformance({
    name: `jwt, ${alg}`,
    // Tokens tell whole seconds.
    ttl: 1_000,
    async create(scope) {
      const shared = scopes.get(scope) ?? {
        key: generateJwtKey({ alg }),
        backend: new MemoryStoreBackend(),
      }
      scopes.set(scope, shared)
      return jwtAuth({
        issuer: 'https://auth.example',
        audience: 'shop',
        keys: [await shared.key],
        store: memoryStore({ backend: shared.backend }),
        clockTolerance: 0,
      })
    },
  })
}

const keys = new Map<string, Promise<JwtKey>>()
authConformance({
  name: 'jwt, without a store',
  ttl: 1_000,
  async create(scope) {
    const key = keys.get(scope) ?? generateJwtKey()
    keys.set(scope, key)
    return jwtAuth({ issuer: 'https://auth.example', keys: [await key], clockTolerance: 0 })
  },
})
