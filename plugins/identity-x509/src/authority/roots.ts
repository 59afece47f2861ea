import { randomBytes } from 'node:crypto'
import { MicroError } from '@micro/core/errors'
import type { Store } from '@micro/core/store'
import type { X509Certificate } from '@peculiar/x509'
import { type AuthoritySettings, clockSkew } from '../options.ts'
import { fingerprintOf, type Issuer, makeRoot, readCertificate } from '../x509/certificates.ts'
import { exportKey, generateKeys, importKey } from '../x509/keys.ts'
import { createSealing, type Sealing } from './sealing.ts'

const key = 'roots'

interface RootRecord {
  readonly cert: string
  /** Sealed. */
  readonly key: string
  /** Milliseconds since 1970 from which it signs: when all have heard of it. */
  readonly signsFrom: number
}

interface RootsRecord {
  readonly schema: 1
  readonly salt: string
  /** The oldest first. */
  readonly roots: readonly RootRecord[]
}

export interface Root extends Issuer {
  readonly pem: string
  readonly fingerprint: string
  readonly signsFrom: number
}

export interface Roots {
  /** All that are trusted, the oldest first. */
  all(): Promise<readonly Root[]>
  /** Adds one, which signs once every service has heard of it. Not while another one waits for that. */
  rotate(): Promise<void>
  sealing(): Promise<Sealing>
}

/** The authority's roots in a store that several instances share. */
export function createRoots(store: Store, settings: AuthoritySettings): Roots {
  const { secret, trustDomain, ttl, rootTtl, root: given } = settings
  let sealing: Promise<Sealing> | undefined
  let salt: string | undefined
  const opened = new Map<string, Promise<Root>>()

  const sealingOf = (record: Pick<RootsRecord, 'salt'>): Promise<Sealing> => {
    if (sealing === undefined || salt !== record.salt) {
      salt = record.salt
      sealing = createSealing(secret, record.salt)
    }
    return sealing
  }
  const open = async (record: RootRecord, seal: Sealing): Promise<Root> => {
    const certificate = readCertificate(record.cert) as X509Certificate
    return {
      certificate,
      key: await importKey(seal.open(record.key)),
      pem: record.cert,
      fingerprint: await fingerprintOf(certificate),
      signsFrom: record.signsFrom,
    }
  }
  const make = async (seal: Sealing, signsFrom: number): Promise<RootRecord> => {
    const keys = await generateKeys()
    const cert = await makeRoot(trustDomain, keys, rootTtl)
    return { cert, key: seal.seal(await exportKey(keys.privateKey)), signsFrom }
  }
  const create = async (): Promise<void> => {
    const fresh = { salt: randomBytes(16).toString('base64') }
    const seal = await sealingOf(fresh)
    const first =
      given === undefined
        ? await make(seal, 0)
        : { cert: given.cert, key: seal.seal(given.key), signsFrom: 0 }
    const record: RootsRecord = { schema: 1, ...fresh, roots: [first] }
    try {
      await store.write(key, encode(record), { ifAbsent: true })
    } catch (error) {
      // Another instance was first.
      if (!MicroError.is(error, 'already_exists')) throw error
    }
  }
  const read = async (): Promise<{ record: RootsRecord; version: string }> => {
    let found = await store.read(key)
    if (found === undefined) {
      await create()
      found = await store.read(key)
    }
    if (found === undefined) throw new MicroError('unavailable', 'the roots have gone')
    const record = JSON.parse(new TextDecoder().decode(found.value)) as RootsRecord
    if (record.schema !== 1) {
      throw new MicroError('failed_precondition', `roots of schema ${record.schema}; we read 1`)
    }
    return { record, version: found.version }
  }
  /** Those that something valid may still hang on. */
  const alive = (roots: readonly RootRecord[]): RootRecord[] => {
    const over = Date.now() - ttl - clockSkew
    return roots.filter((_root, at) => {
      const next = roots[at + 1]
      return next === undefined || next.signsFrom > over
    })
  }

  return {
    async all() {
      const { record } = await read()
      const seal = await sealingOf(record)
      return Promise.all(
        alive(record.roots).map((root) => {
          const known = opened.get(root.cert) ?? open(root, seal)
          opened.set(root.cert, known)
          return known
        }),
      )
    },
    async rotate() {
      if (given !== undefined) {
        throw new MicroError(
          'failed_precondition',
          'the root is your own: rotate it where it is made',
        )
      }
      for (;;) {
        const { record, version } = await read()
        const roots = alive(record.roots)
        if (roots.some(({ signsFrom }) => signsFrom > Date.now())) return
        const next = await make(await sealingOf(record), Date.now() + ttl)
        try {
          await store.write(key, encode({ ...record, roots: [...roots, next] }), {
            ifVersion: version,
          })
          return
        } catch (error) {
          // Another instance has changed them meanwhile.
          if (!MicroError.is(error, 'aborted')) throw error
        }
      }
    },
    async sealing() {
      return sealingOf((await read()).record)
    },
  }
}

/** The one that signs now: the newest that all have heard of. */
export function issuerOf(roots: readonly Root[]): Root {
  const ready = roots.filter(({ signsFrom }) => signsFrom <= Date.now())
  const issuer = ready.at(-1)
  if (issuer === undefined) throw new MicroError('unavailable', 'no root signs yet')
  return issuer
}

export function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}
