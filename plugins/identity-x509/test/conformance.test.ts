import { X509Certificate } from 'node:crypto'
import { identityConformance } from '@micro/conformance/identity'
import { MicroError } from '@micro/core/errors'
import { memoryStore } from '@micro/core/store'
import { describeCertificate } from '@micro/core/transport'
import { type Authority, createAuthority, x509Identity } from '@micro/plugin-identity-x509'

const trustDomain = 'conformance.example'
const ttl = 1_500
const authorities = new Map<string, Authority>()

function authorityOf(scope: string): Authority {
  const known =
    authorities.get(scope) ??
    createAuthority({ store: memoryStore(), trustDomain, secret: 'a secret of the suite', ttl })
  authorities.set(scope, known)
  return known
}

async function enrolled(scope: string, service: string) {
  const authority = authorityOf(scope)
  const token = await authority.mintToken({ service })
  return x509Identity({ service, authority, trustDomain, token })
}

const away = async (): Promise<never> => {
  throw new MicroError('unavailable', 'the authority is away')
}

identityConformance({
  name: 'x509',
  life: ttl,
  create: (scope) => enrolled(scope, 'orders'),
  createCutOff: async (scope) => {
    const token = await authorityOf(scope).mintToken({ service: 'orders' })
    const authority = { enrol: away, renew: away, trust: away }
    return x509Identity({ service: 'orders', authority, trustDomain, token })
  },
  async peerOf(scope) {
    const identity = await enrolled(scope, 'shop')
    await identity.connect()
    const shown = new X509Certificate(identity.tls.current().cert ?? '')
    await identity.close()
    return { certificate: describeCertificate(shown), id: 'shop' }
  },
})
