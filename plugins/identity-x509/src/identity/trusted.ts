import type { X509Certificate } from '@peculiar/x509'
import type { Trust, TrustFacts } from '../authority/authority-service.ts'
import { distrusted } from '../errors.ts'
import { fingerprintOf, isTrusted, namesIn, readCertificate } from '../x509/certificates.ts'
import { isSigned } from '../x509/keys.ts'

/** What the authority says, once it is known that it does. */
export interface Trusted extends TrustFacts {
  readonly certificates: readonly X509Certificate[]
}

/** @throws `unauthenticated` for what no root that was trusted before has signed. */
export async function verifyTrust(
  { text, signatures }: Trust,
  before: Trusted | undefined,
  trustDomain: string,
): Promise<Trusted> {
  if (before !== undefined) {
    let signed = false
    for (const root of before.certificates) {
      const signature = signatures[await fingerprintOf(root)]
      signed ||= signature !== undefined && (await isSigned(root.publicKey, text, signature))
    }
    if (!signed) throw distrusted('its roots are signed by none that we know')
  }
  return readTrust(text, trustDomain)
}

/** @throws `unauthenticated` for roots of another domain, or none. */
export function readTrust(text: string, trustDomain: string): Trusted {
  const facts = JSON.parse(text) as TrustFacts
  const certificates = facts.roots.map(readCertificate)
  if (facts.trustDomain !== trustDomain) {
    throw distrusted(`it is of "${facts.trustDomain}", not "${trustDomain}"`)
  }
  if (certificates.length === 0 || certificates.includes(undefined)) throw distrusted('no roots')
  return { ...facts, certificates: certificates as X509Certificate[] }
}

/** @throws `unauthenticated` for a certificate that is not of these roots, this service, this key. */
export async function verifyCertificate(
  pem: string,
  trusted: Trusted,
  service: string,
  publicKey: ArrayBuffer,
): Promise<X509Certificate> {
  const certificate = readCertificate(pem)
  if (certificate === undefined || !(await isTrusted(certificate, trusted.certificates))) {
    throw distrusted('the certificate is signed by no root')
  }
  if (namesIn(certificate, trusted.trustDomain)?.service !== service) {
    throw distrusted(`the certificate is not for "${service}"`)
  }
  if (!Buffer.from(certificate.publicKey.rawData).equals(Buffer.from(publicKey))) {
    throw distrusted('the certificate is for another key')
  }
  return certificate
}
