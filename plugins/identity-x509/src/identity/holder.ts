import { MicroError } from '@micro/core/errors'
import { parseToken } from '../authority/bootstrap-tokens.ts'
import { isSame, proofOf } from '../authority/sealing.ts'
import { distrusted } from '../errors.ts'
import type { IdentitySettings } from '../options.ts'
import { makeRequest } from '../x509/certificates.ts'
import { exportKey, generateKeys, importKey, type KeyPair, sign } from '../x509/keys.ts'
import { readTrust, type Trusted, verifyCertificate, verifyTrust } from './trusted.ts'

interface SignalOptions {
  readonly signal: AbortSignal
}

/** A certificate, and what to make of those of others. */
interface Held {
  /** As PEM. */
  readonly cert: string
  readonly key: string
  readonly trusted: Trusted
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

export interface Holder {
  /** A new certificate: by the one that is held, or else by the token. */
  obtain(options: SignalOptions): Promise<Held>
  /** What the authority says now. */
  lookForTrust(options: SignalOptions): Promise<Trusted>
}

/** Gets and keeps one service's certificate. */
export function createHolder(settings: IdentitySettings): Holder {
  const { service, authority, trustDomain, keep } = settings
  const token = settings.token === undefined ? undefined : parseToken(settings.token)
  const place = `x509/${trustDomain}/${service}`
  let held: Held | undefined
  let loaded = keep === undefined
  /** The same for each attempt, so that an answer that was lost can be asked for again. */
  let enrolment: Promise<{ keys: KeyPair; request: string }> | undefined

  const newRequest = async (): Promise<{ keys: KeyPair; request: string }> => {
    const keys = await generateKeys()
    return { keys, request: await makeRequest(service, keys) }
  }
  const accept = async (pem: string, keys: KeyPair, trusted: Trusted): Promise<Held> => {
    const publicKey = await crypto.subtle.exportKey('spki', keys.publicKey)
    const certificate = await verifyCertificate(pem, trusted, service, publicKey)
    return {
      cert: pem,
      key: await exportKey(keys.privateKey),
      trusted,
      expiresAt: certificate.notAfter.getTime(),
    }
  }
  const enrol = async (signal: AbortSignal): Promise<Held> => {
    if (token === undefined) {
      throw new MicroError(
        'failed_precondition',
        `"${service}" has no certificate that is valid, and no bootstrap token: mint one`,
      )
    }
    enrolment ??= newRequest()
    const { keys, request } = await enrolment
    const proof = proofOf(token.secret, 'enrol', request)
    const reply = await authority.enrol({ tokenId: token.id, request, proof }, { signal })
    const expected = proofOf(token.secret, 'enrolled', reply.certificate, reply.trust.text)
    if (!isSame(reply.proof, expected)) throw distrusted('it does not know the bootstrap token')
    const trusted = await verifyTrust(reply.trust, undefined, trustDomain)
    return accept(reply.certificate, keys, trusted)
  }
  const renew = async (current: Held, signal: AbortSignal): Promise<Held> => {
    const { keys, request } = await newRequest()
    const signature = await sign(await importKey(current.key), `renew\n${request}`)
    const reply = await authority.renew(
      { certificate: current.cert, request, signature },
      { signal },
    )
    const trusted = await verifyTrust(reply.trust, current.trusted, trustDomain)
    return accept(reply.certificate, keys, newer(current.trusted, trusted))
  }
  const load = async (signal: AbortSignal): Promise<void> => {
    const record = await keep?.read(place, { signal })
    loaded = true
    if (record === undefined) return
    const kept = JSON.parse(new TextDecoder().decode(record.value)) as Record<string, string>
    const { cert, key, trust } = kept
    const expiresAt = Number(kept['expiresAt'])
    if (cert === undefined || key === undefined || trust === undefined) return
    held = { cert, key, trusted: readTrust(trust, trustDomain), expiresAt }
  }
  const save = async ({ cert, key, trusted, expiresAt }: Held): Promise<void> => {
    const { certificates: _, ...facts } = trusted
    const kept = { cert, key, trust: JSON.stringify(facts), expiresAt: String(expiresAt) }
    await keep?.write(place, new TextEncoder().encode(JSON.stringify(kept)))
  }

  return {
    async obtain({ signal }) {
      if (!loaded) await load(signal)
      const current = held
      const next =
        current !== undefined && current.expiresAt > Date.now()
          ? await renew(current, signal)
          : await enrol(signal)
      // Before anybody sees it: it must not be lost if the process ends now.
      await save(next)
      held = next
      return next
    },
    async lookForTrust({ signal }) {
      const current = held
      if (current === undefined) throw new MicroError('failed_precondition', 'no certificate yet')
      const found = await verifyTrust(
        await authority.trust({}, { signal }),
        current.trusted,
        trustDomain,
      )
      const trusted = newer(current.trusted, found)
      if (held === current) held = { ...current, trusted }
      return trusted
    },
  }
}

/** An older answer, sent again, takes no denial back. */
function newer(before: Trusted, now: Trusted): Trusted {
  return now.issuedAt >= before.issuedAt ? now : before
}
