import 'reflect-metadata'
import { randomBytes, type webcrypto } from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { clockSkew } from '../options.ts'
import { algorithm, type KeyPair } from './keys.ts'

/** What a certificate says of a service. */
export interface Names {
  readonly service: string
  /** DNS names and IP addresses that it is reached by. */
  readonly hosts: readonly string[]
}

export interface Issuer {
  readonly certificate: X509Certificate
  readonly key: webcrypto.CryptoKey
}

export async function makeRoot(trustDomain: string, keys: KeyPair, ttl: number): Promise<string> {
  const root = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ O: [trustDomain] }, { CN: [`authority ${serial().slice(0, 8)}`] }],
    ...validity(ttl),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return root.toString('pem')
}

export async function makeRequest(service: string, keys: KeyPair): Promise<string> {
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [service] }],
    keys,
    signingAlgorithm: algorithm,
  })
  return request.toString('pem')
}

/** A request for a certificate that its own key has signed. */
export interface SignedRequest {
  readonly publicKey: Pkcs10CertificateRequest['publicKey']
  /** Who it claims to be from. */
  readonly service: string | undefined
}

/** `undefined` for one that is not signed, or by another kind of key. */
export async function readRequest(pem: string): Promise<SignedRequest | undefined> {
  try {
    const request = new Pkcs10CertificateRequest(pem)
    const { publicKey, subjectName } = request
    const { name, namedCurve } = publicKey.algorithm as webcrypto.EcKeyAlgorithm
    const fits = name === algorithm.name && namedCurve === algorithm.namedCurve
    if (!fits || !(await request.verify())) return undefined
    return { publicKey, service: subjectName.getField('CN')[0] }
  } catch {
    return undefined
  }
}

/** A certificate for the key of `request`, and names that somebody else vouches for. */
export async function issue(
  issuer: Issuer,
  request: SignedRequest,
  trustDomain: string,
  { service, hosts }: Names,
  ttl: number,
): Promise<string> {
  const publicKey = await request.publicKey.export()
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: [{ O: [trustDomain] }, { CN: [service] }],
    issuer: issuer.certificate.subject,
    ...validity(ttl),
    publicKey,
    signingKey: issuer.key,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([
        { type: 'url', value: nameOf(trustDomain, service) },
        ...hosts.map((value) => ({
          type: isAddress(value) ? ('ip' as const) : ('dns' as const),
          value,
        })),
      ]),
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.certificate),
    ],
  })
  return certificate.toString('pem')
}

/** SPIFFE-ID, section 2. */
function nameOf(trustDomain: string, service: string): string {
  return `spiffe://${trustDomain}/service/${service}`
}

/** The service of a name of this trust domain. */
export function serviceOf(trustDomain: string, uris: readonly string[]): string | undefined {
  // X509-SVID, section 2: exactly one URI.
  const [uri, ...more] = uris
  const prefix = nameOf(trustDomain, '')
  if (uri === undefined || more.length > 0 || !uri.startsWith(prefix)) return undefined
  const service = uri.slice(prefix.length)
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(service) ? service : undefined
}

export function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

/** Names in a certificate of ours. */
export function namesIn(certificate: X509Certificate, trustDomain: string): Names | undefined {
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.toJSON() ?? []
  const ofType = (...types: string[]): string[] =>
    names.filter(({ type }) => types.includes(type)).map(({ value }) => String(value))
  const service = serviceOf(trustDomain, ofType('url'))
  return service === undefined ? undefined : { service, hosts: ofType('dns', 'ip') }
}

/** Whether one of `roots` has signed it, and it is valid now. */
export async function isTrusted(
  certificate: X509Certificate,
  roots: readonly X509Certificate[],
): Promise<boolean> {
  const date = new Date()
  for (const root of roots) {
    if (certificate.issuer !== root.subject || root.notAfter < date) continue
    if (certificate.getExtension(BasicConstraintsExtension)?.ca === true) continue
    if (await certificate.verify({ publicKey: root.publicKey, date })) return true
  }
  return false
}

export async function fingerprintOf(certificate: X509Certificate): Promise<string> {
  return Buffer.from(await certificate.getThumbprint('SHA-256')).toString('hex')
}

function isAddress(host: string): boolean {
  return host.includes(':') || /^\d+\.\d+\.\d+\.\d+$/.test(host)
}

function validity(ttl: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now()
  return { notBefore: new Date(now - clockSkew), notAfter: new Date(now + ttl) }
}

/** RFC 5280, section 4.1.2.2: positive, and at least 64 bits that nobody can guess. */
function serial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40
  return bytes.toString('hex')
}
