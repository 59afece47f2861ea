import type { MicroError } from '@micro/core/errors'
import type { LogLevel } from '@micro/core/logger'
import { namespacedStore } from '@micro/core/store'
import { invalid, refused } from '../errors.ts'
import { type AuthorityOptions, checkName, clockSkew, settleAuthority, whole } from '../options.ts'
import {
  fingerprintOf,
  issue,
  isTrusted,
  type Names,
  namesIn,
  readCertificate,
  readRequest,
} from '../x509/certificates.ts'
import { isSigned, sign } from '../x509/keys.ts'
import type { AuthorityApi, Trust, TrustFacts } from './authority-service.ts'
import { createBootstrapTokens } from './bootstrap-tokens.ts'
import type { Denial, TokenRequest } from './operator.ts'
import { createRoots, encode, issuerOf } from './roots.ts'
import { isSame, proofOf } from './sealing.ts'

const deniedPrefix = 'denied/'
const local: readonly string[] = ['localhost', '127.0.0.1', '::1']
const hostFormat = /^(?:[A-Za-z0-9_*](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?|[0-9a-fA-F:.]{2,45})$/

/** A small certificate authority. Serve it by `AuthorityService`, or use it in process. */
export interface Authority extends Required<AuthorityApi> {
  /** A single-use token for one service, to be given to whoever starts it, and to nobody else. */
  mintToken(request: TokenRequest): Promise<string>
  /** In force at every service within its `interval`. Also ends renewals. */
  deny(denial: Denial): Promise<void>
  /** Takes a denial of a service back, so that it can enrol again. */
  allow(denial: Denial): Promise<void>
  /**
   * Makes a new root. It is trusted at once and signs after one life of a certificate, when every
   * service has heard of it; the old one is trusted for one life more.
   */
  rotate(): Promise<void>
}

/**
 * @throws `invalid_argument`, naming the option. Does no I/O before it is first used.
 */
export function createAuthority(options: AuthorityOptions): Authority {
  const settings = settleAuthority(options)
  const { trustDomain, ttl, logger } = settings
  const store = namespacedStore({ store: settings.store, namespace: settings.namespace })
  const roots = createRoots(store, settings)
  const tokens = createBootstrapTokens(store, () => roots.sealing())
  const audit = (level: LogLevel, message: string, fields: Record<string, unknown>): void =>
    logger?.log(level, message, { audit: 'authority', ...fields })

  const denied = async (): Promise<TrustFacts['denied']> => {
    const keys: string[] = []
    for await (const { key } of store.list({ prefix: deniedPrefix, keysOnly: true })) {
      keys.push(key.slice(deniedPrefix.length))
    }
    const of = (kind: string): string[] =>
      keys.filter((key) => key.startsWith(kind)).map((key) => key.slice(kind.length))
    return { services: of('service/'), fingerprints: of('fingerprint/') }
  }
  const trust = async (): Promise<Trust> => {
    const all = await roots.all()
    const facts: TrustFacts = {
      trustDomain,
      issuedAt: Date.now(),
      roots: all.map(({ pem }) => pem),
      denied: await denied(),
    }
    const text = JSON.stringify(facts)
    const signatures: Record<string, string> = {}
    for (const root of all) signatures[root.fingerprint] = await sign(root.key, text)
    return { text, signatures }
  }
  const certify = async (pem: string, names: Names, why: string): Promise<string> => {
    const request = await readRequest(pem)
    if (request === undefined) throw refused()
    const certificate = await issue(issuerOf(await roots.all()), request, trustDomain, names, ttl)
    audit('info', 'issued', { why, service: names.service, hosts: names.hosts })
    return certificate
  }
  const refuse = (why: string, fields: Record<string, unknown> = {}): MicroError => {
    audit('warn', 'refused', { why, ...fields })
    return refused()
  }

  return {
    async enrol({ tokenId, request, proof }) {
      const token = await tokens.find(tokenId)
      if (token === undefined) throw refuse('unknown token')
      const { service } = token.names
      if (!isSame(proof, proofOf(token.secret, 'enrol', String(request)))) {
        throw refuse('wrong proof', { service })
      }
      if ((await denied()).services.includes(service)) throw refuse('denied', { service })
      // A token that was given to the wrong service is told before it is used up.
      if ((await readRequest(request))?.service !== service)
        throw refuse('bad request', { service })
      if (!(await tokens.use(tokenId, request))) throw refuse('token used before', { service })
      const certificate = await certify(request, token.names, 'enrolment')
      const signed = await trust()
      return {
        certificate,
        trust: signed,
        proof: proofOf(token.secret, 'enrolled', certificate, signed.text),
      }
    },

    async renew({ certificate: pem, request, signature }) {
      const certificate = readCertificate(String(pem))
      const names = certificate && namesIn(certificate, trustDomain)
      if (certificate === undefined || names === undefined) throw refuse('no certificate of ours')
      const { service } = names
      const all = await roots.all()
      const trusted = await isTrusted(
        certificate,
        all.map((root) => root.certificate),
      )
      if (!trusted) throw refuse('not trusted', { service })
      if (!(await isSigned(certificate.publicKey, `renew\n${request}`, String(signature)))) {
        throw refuse('not signed', { service })
      }
      const { services, fingerprints } = await denied()
      if (services.includes(service) || fingerprints.includes(await fingerprintOf(certificate))) {
        throw refuse('denied', { service })
      }
      return { certificate: await certify(request, names, 'renewal'), trust: await trust() }
    },

    trust,

    async mintToken({ service, hosts = local, ttl: life = 3_600_000, ...rest }) {
      const [unknown] = Object.keys(rest)
      if (unknown !== undefined) throw invalid('mintToken', unknown, 'unknown option')
      checkName('mintToken', service)
      const bad = hosts.find((host) => typeof host !== 'string' || !hostFormat.test(host))
      if (bad !== undefined || hosts.length > 100) {
        throw invalid(
          'mintToken',
          'hosts',
          `${JSON.stringify(bad)}; give DNS names and IP addresses`,
        )
      }
      whole('mintToken', 'ttl', life, 1_000, 30 * 86_400_000)
      const token = await tokens.mint({ service, hosts: [...hosts] }, life)
      audit('info', 'minted', { service, hosts })
      return token
    },

    async deny(denial) {
      // A certificate is dangerous as long as it lives; a service, until somebody has mended it.
      const life = 'service' in denial ? {} : { ttl: ttl + clockSkew }
      await store.write(keyOf(denial), encode({}), life)
      audit('warn', 'denied', { ...denial })
    },

    async allow(denial) {
      await store.delete(keyOf(denial))
      audit('info', 'allowed', { ...denial })
    },

    async rotate() {
      await roots.rotate()
      audit('info', 'rotated', { roots: (await roots.all()).length })
    },
  }
}

function keyOf(denial: Denial): string {
  if ('service' in denial) {
    checkName('deny', denial.service)
    return `${deniedPrefix}service/${denial.service}`
  }
  const { fingerprint } = denial
  if (/^[0-9a-f]{64}$/.test(fingerprint)) return `${deniedPrefix}fingerprint/${fingerprint}`
  throw invalid('deny', 'fingerprint', 'give SHA-256 as 64 lower-case hex digits')
}
