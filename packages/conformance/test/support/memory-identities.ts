import type { IdentitySuiteOptions } from '@micro/conformance/identity'
import { memoryAuth } from '@micro/core/auth'
import { MicroError } from '@micro/core/errors'
import { type Lease, memoryIdentity, type TlsMaterial } from '@micro/core/identity'
import { memoryAuths } from './memory-auths.ts'

const subject = { id: 'orders', type: 'service', scopes: ['service'], metadata: {} }

/** Memory identities whose tokens, and material if they have any, live for so long. */
export function memoryIdentities(life: number, withTls: boolean): IdentitySuiteOptions {
  const authOf = memoryAuths()
  let made = 0
  const issueTls = async (): Promise<Lease<TlsMaterial>> => ({
    value: {
      cert: `-----BEGIN CERTIFICATE-----\n${++made}\n-----END CERTIFICATE-----\n`,
      key: '-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n',
      ca: '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n',
    },
    expiresAt: Date.now() + life,
  })
  const tls = withTls ? { tls: issueTls } : {}
  return {
    name: withTls ? 'memory, with TLS' : 'memory',
    life,
    create: (scope) => memoryIdentity({ auth: authOf(scope), subject, ttl: life, ...tls }),
    verify: (token, scope) => authOf(scope).verify(token),
    createCutOff: () =>
      memoryIdentity({
        auth: {
          ...memoryAuth(),
          issue: async () => {
            throw new MicroError('unavailable', 'the authority is away')
          },
        },
        subject,
      }),
  }
}
