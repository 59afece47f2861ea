import { createHmac } from 'node:crypto'
import { generateJwtKey, type JwtAuth, type JwtKey, jwtAuth } from '@micro/plugin-auth-jwt'
import { exportSPKI, generateKeyPair, importJWK, type JWTPayload, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const issuer = 'https://auth.example'
const claims = { scope: 'admin', type: 'user', metadata: {} }
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

let key: JwtKey
let second: JwtKey
let rsa: JwtKey
let auth: JwtAuth
beforeAll(async () => {
  key = await generateJwtKey({ kid: 'one' })
  second = await generateJwtKey({ kid: 'two', alg: 'ES256' })
  rsa = await generateJwtKey({ kid: 'three', alg: 'RS256' })
  auth = jwtAuth({ issuer, audience: 'shop', keys: [key, second, rsa], clockTolerance: 1_000 })
})
afterAll(() => auth.close())

interface Given {
  readonly with?: JwtKey
  readonly header?: Record<string, unknown>
  readonly payload?: JWTPayload
}

/** A token that is good but for what is given. */
async function tokenOf({ with: signing = key, header = {}, payload = {} }: Given = {}) {
  const now = Math.floor(Date.now() / 1_000)
  const all = {
    ...claims,
    iss: issuer,
    aud: 'shop',
    sub: 'ada',
    iat: now,
    exp: now + 60,
    ...payload,
  }
  return new SignJWT(JSON.parse(JSON.stringify(all)) as JWTPayload)
    .setProtectedHeader({ alg: signing.alg, kid: signing.kid, ...header })
    .sign(await importJWK(signing, signing.alg))
}

async function expectRefused(token: string): Promise<void> {
  await expect(auth.verify(token)).rejects.toMatchObject({
    code: 'unauthenticated',
    detail: 'the token is not valid',
    details: [],
  })
}

test('what is good is taken', async () => {
  for (const one of [key, second, rsa]) {
    expect((await auth.verify(await tokenOf({ with: one }))).account).toMatchObject({
      id: 'ada',
      scopes: ['admin'],
      issuer,
    })
  }
})

describe('algorithms', () => {
  test.each(['none', 'None', 'NONE', 'nOnE', ''])('"%s" is refused', async (alg) => {
    const [, payload] = (await tokenOf()).split('.')
    for (const header of [{ alg }, { alg, kid: 'one' }, { alg, kid: 'one', typ: 'JWT' }]) {
      await expectRefused(`${encode(header)}.${payload}.`)
      await expectRefused(`${encode(header)}.${payload}.AAAA`)
    }
  })

  test('a public key is no secret to sign with', async () => {
    const [, payload] = (await tokenOf()).split('.')
    const { publicKey } = await generateKeyPair('RS256', { extractable: true })
    const pems = [
      await exportSPKI(publicKey),
      JSON.stringify({ kty: key.kty, x: key.x }),
      key.x ?? '',
    ]
    for (const alg of ['HS256', 'HS384', 'HS512']) {
      for (const kid of ['one', 'two', 'three']) {
        for (const secret of pems) {
          const head = `${encode({ alg, kid })}.${payload}`
          const hash = `sha${alg.slice(2)}`
          const signature = createHmac(hash, secret).update(head).digest('base64url')
          await expectRefused(`${head}.${signature}`)
        }
      }
    }
  })

  test('a key is good for its own algorithm only, whatever the token says', async () => {
    const [, payload, signature] = (await tokenOf({ with: rsa })).split('.')
    for (const alg of ['RS384', 'PS256', 'ES256', 'EdDSA', 'HS256']) {
      await expectRefused(`${encode({ alg, kid: 'three' })}.${payload}.${signature}`)
    }
  })
})

describe('keys', () => {
  test.each([
    'missing',
    '../../etc/passwd',
    "one' OR '1'='1",
    'one\0',
    'ONE',
    '__proto__',
    'constructor',
    'x'.repeat(10_000),
    '',
  ])('the name %j finds none', async (kid) => {
    await expectRefused(await tokenOf({ header: { kid } }))
  })

  test('one that comes along in the token is not believed', async () => {
    const own = await generateJwtKey({ kid: 'one' })
    const { d: _, ...jwk } = own
    for (const header of [
      { jwk },
      { jku: 'http://127.0.0.1:1/jwks.json' },
      { x5u: 'http://127.0.0.1:1/' },
      { x5c: ['AAAA'] },
    ]) {
      await expectRefused(await tokenOf({ with: own, header }))
    }
  })

  test('without a name, where there are several, none is good', async () => {
    await expectRefused(await tokenOf({ header: { kid: undefined } }))
  })

  test('an extension that must be understood and is not, is refused', async () => {
    const [, payload, signature] = (await tokenOf()).split('.')
    const header = encode({ alg: 'EdDSA', kid: 'one', crit: ['exp', 'x'], x: 1 })
    await expectRefused(`${header}.${payload}.${signature}`)
  })
})

describe('claims', () => {
  const now = (): number => Math.floor(Date.now() / 1_000)
  test.each([
    ['expired', () => ({ exp: now() - 5 })],
    ['without an end', () => ({ exp: undefined as never })],
    ['whose end is a text', () => ({ exp: 'never' as never })],
    ['not good yet', () => ({ nbf: now() + 60 })],
    ['of another issuer', () => ({ iss: 'https://evil.example' })],
    ['of an issuer that looks the same', () => ({ iss: 'https://auth.example/' })],
    ['of no issuer', () => ({ iss: undefined as never })],
    ['of an issuer that is an object', () => ({ iss: { toString: issuer } as never })],
    ['for others', () => ({ aud: 'bank' })],
    ['for nobody', () => ({ aud: undefined as never })],
    ['about nobody', () => ({ sub: undefined as never })],
    ['about an empty name', () => ({ sub: '' })],
    ['about a name with a line break', () => ({ sub: 'ada\nroot' })],
    ['with a scope that stands for all', () => ({ scope: 'admin *' })],
    ['with scopes that are no texts', () => ({ scopes: [{}] })],
    ['with metadata that is no text', () => ({ metadata: { a: 1 } })],
  ])('a token %s is refused', async (_what, payload) => {
    await expectRefused(await tokenOf({ payload: payload() }))
  })

  test('clocks may be off as far as is allowed', async () => {
    await auth.verify(await tokenOf({ payload: { nbf: now() + 1 } }))
  })

  test('changed after signing, they are refused', async () => {
    const [header, payload = '', signature] = (await tokenOf()).split('.')
    const changed = JSON.parse(Buffer.from(payload, 'base64url').toString())
    changed.scope = 'admin root'
    await expectRefused(`${header}.${encode(changed)}.${signature}`)
  })

  test('of one key under the name of another, they are refused', async () => {
    await expectRefused(await tokenOf({ with: second, header: { kid: 'three', alg: 'ES256' } }))
  })
})

test('a refusal tells nothing of why, and looks alike for all', async () => {
  const outcomes = await Promise.all(
    [
      'x',
      await tokenOf({ payload: { exp: 1 } }),
      await tokenOf({ payload: { iss: 'x' } }),
      await tokenOf({ header: { kid: 'x' } }),
    ].map((token) => auth.verify(token).catch((error: unknown) => JSON.stringify(error))),
  )
  expect(new Set(outcomes).size).toBe(1)
})
