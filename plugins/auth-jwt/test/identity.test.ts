import { identityConformance } from '@micro/conformance/identity'
import { MicroError } from '@micro/core/errors'
import { memoryIdentity } from '@micro/core/identity'
import { generateJwtKey, type JwtKey, jwtAuth } from '@micro/plugin-auth-jwt'

/** The keys of each scope: what others verify its tokens by. */
const keys = new Map<string, Promise<JwtKey>>()
const subject = { id: 'orders', type: 'service', scopes: ['service'], metadata: {} }

async function authOf(scope: string) {
  const key = keys.get(scope) ?? generateJwtKey()
  keys.set(scope, key)
  return jwtAuth({ issuer: 'https://auth.example', keys: [await key], clockTolerance: 0 })
}

identityConformance({
  name: 'memory, with JSON Web Tokens',
  // Tokens tell whole seconds.
  life: 1_000,
  create: async (scope) => memoryIdentity({ auth: await authOf(scope), subject, ttl: 1_000 }),
  verify: async (token, scope) => (await authOf(scope)).verify(token),
  createCutOff: async (scope) =>
    memoryIdentity({
      auth: {
        ...(await authOf(scope)),
        issue: async () => {
          throw new MicroError('unavailable', 'the authority is away')
        },
      },
      subject,
    }),
})
