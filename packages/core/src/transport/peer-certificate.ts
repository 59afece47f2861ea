import type { PeerCertificate } from './transport.ts'

/** As of `X509Certificate` in `node:crypto`. */
export interface CertificateLike {
  readonly subjectAltName: string | undefined
  /** `AB:CD:…` */
  readonly fingerprint256: string
  readonly validTo: string
}

/** For transports: what their peer's certificate says, once it is known to be trusted. */
export function describeCertificate(certificate: CertificateLike): PeerCertificate {
  const names = namesOf(certificate.subjectAltName ?? '')
  const ofKind = (kind: string): string[] =>
    names.filter((name) => name.startsWith(kind)).map((name) => name.slice(kind.length))
  return {
    uris: ofKind('URI:'),
    dnsNames: ofKind('DNS:'),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    expiresAt: Date.parse(certificate.validTo),
  }
}

/**
 * Node writes names as `kind:value, kind:value`, and a value in which that could be read otherwise as
 * a JSON string, so that no name can pretend to be two (CVE-2021-44532). Such a name is none of ours.
 */
function namesOf(text: string): string[] {
  const names: string[] = []
  let rest = text
  while (rest !== '') {
    const quoted = /^[A-Za-z ]+:"(?:[^"\\]|\\.)*"(?:, |$)/.exec(rest)
    if (quoted !== null) {
      rest = rest.slice(quoted[0].length)
      continue
    }
    const end = rest.indexOf(', ')
    names.push(end < 0 ? rest : rest.slice(0, end))
    rest = end < 0 ? '' : rest.slice(end + 2)
  }
  return names
}
