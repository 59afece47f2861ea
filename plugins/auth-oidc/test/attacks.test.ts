import { createHmac, generateKeyPairSync, sign as signBytes } from 'node:crypto'
import type { Auth } from '@micro/core/auth'
import { memoryLogger } from '@micro/core/logger'
import { oidcAuth } from '@micro/plugin-auth-oidc'
import { exportSPKI, importJWK } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAnswering } from './support/answers.ts'
import { expectRefused, idOf, usePerTest } from './support/opened.ts'
import { newKey, type ProviderKey, startProvider, type TestProvider } from './support/provider.ts'
import { audience, encode, type Given, seconds, sign } from './support/sign.ts'

const perTest = usePerTest()
let provider: TestProvider
let es: ProviderKey
let rsa: ProviderKey
let keys: readonly ProviderKey[]
let auth: Auth
beforeAll(async () => {
  es = await newKey('ES256', 'es')
  rsa = await newKey('RS256', 'rsa')
  const others = await Promise.all([
    newKey('ES256', 'es-2'),
    newKey('PS256', 'ps'),
    newKey('EdDSA', 'ed'),
  ])
  keys = [es, rsa, ...others]
  provider = await startProvider({ keys })
  auth = oidcAuth({ issuer: provider.issuer, audience, clockTolerance: 1_000 })
})
afterAll(async () => {
  await auth.close()
  await provider.stop()
})

const tokenOf = (given: Given = {}, key = es): Promise<string> => sign(provider.issuer, key, given)

test('what the keys of the provider have signed is taken', async () => {
  for (const key of keys) expect(await idOf(auth, await tokenOf({}, key))).toBe('ada')
  expect(await idOf(auth, await provider.token({ resource: audience, account: 'bob' }))).toBe('bob')
})

describe('algorithms', () => {
  test.each(['none', 'None', 'NONE', 'nOnE', ''])('"%s" is refused', async (alg) => {
    const [, payload] = (await tokenOf()).split('.')
    for (const header of [{ alg }, { alg, kid: 'es' }, { alg, kid: 'es', typ: 'at+jwt' }]) {
      await expectRefused(auth.verify(`${encode(header)}.${payload}.`))
      await expectRefused(auth.verify(`${encode(header)}.${payload}.AAAA`))
    }
  })

  test('a public key is no secret to sign with', async () => {
    const [, payload] = (await tokenOf()).split('.')
    for (const key of keys) {
      const { kty, crv, x, y, n, e } = key
      const half = JSON.parse(JSON.stringify({ kty, crv, x, y, n, e }))
      const spki = await exportSPKI((await importJWK(half, key.alg)) as never)
      const secrets = [spki, spki.trim(), `${spki}\n`, JSON.stringify(half), n ?? x ?? '']
      for (const alg of ['HS256', 'HS384', 'HS512']) {
        for (const secret of secrets) {
          const head = `${encode({ alg, kid: key.kid, typ: 'at+jwt' })}.${payload}`
          const hash = `sha${alg.slice(2)}`
          const signature = createHmac(hash, secret).update(head).digest('base64url')
          await expectRefused(auth.verify(`${head}.${signature}`))
        }
      }
    }
  })

  test('a key is good for its own algorithm only, whatever the token says', async () => {
    const [, payload, signature] = (await tokenOf({}, rsa)).split('.')
    for (const alg of ['RS384', 'PS256', 'ES256', 'EdDSA', 'HS256']) {
      const header = encode({ alg, kid: 'rsa', typ: 'at+jwt' })
      await expectRefused(auth.verify(`${header}.${payload}.${signature}`))
    }
    // A signature that is right, by a scheme that the key is not for.
    await expectRefused(auth.verify(await tokenOf({}, { ...rsa, alg: 'PS256' })))
  })

  test('symmetric and short keys of a set are passed over', async () => {
    const secret = Buffer.alloc(32, 7)
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const there = await perTest.start(startAnswering())
    there.answers.keys = {
      keys: [
        { kty: 'oct', k: secret.toString('base64url'), kid: 'oct', alg: 'HS256' },
        { ...short.publicKey.export({ format: 'jwk' }), kid: 'short', alg: 'RS256' },
      ],
    }
    const here = perTest.open(there.issuer)
    const [, payload] = (await sign(there.issuer, es)).split('.')
    const signed = (header: object, by: (head: string) => Buffer): string => {
      const head = `${encode({ typ: 'at+jwt', ...header })}.${payload}`
      return `${head}.${by(head).toString('base64url')}`
    }
    const byHmac = (head: string) => createHmac('sha256', secret).update(head).digest()
    const byShort = (head: string) => signBytes('sha256', Buffer.from(head), short.privateKey)
    await expectRefused(here.verify(signed({ alg: 'HS256', kid: 'oct' }, byHmac)))
    await expectRefused(here.verify(signed({ alg: 'RS256', kid: 'short' }, byShort)))
  })
})

describe('keys', () => {
  test.each([
    'missing',
    '../../etc/passwd',
    "es' OR '1'='1",
    'es\0',
    'ES',
    '__proto__',
    'constructor',
    'x'.repeat(10_000),
    '',
    7 as never,
    null as never,
    ['es'] as never,
  ])('the name %j finds none', async (kid) => {
    await expectRefused(auth.verify(await tokenOf({ header: { kid } })))
  })

  test('one that comes along in the token is not believed, nor fetched', async () => {
    const own = await newKey('ES256', 'es')
    const there = await perTest.start(startAnswering([own]))
    const { d: _, ...jwk } = own
    for (const header of [
      { jwk },
      { jku: `${there.issuer}/keys` },
      { x5u: `${there.issuer}/keys` },
      { x5c: ['AAAA'] },
    ]) {
      await expectRefused(auth.verify(await tokenOf({ header }, own)))
    }
    expect(there.requests).toEqual([])
  })

  test('without a name, one is good where there is no choice', async () => {
    expect(await idOf(auth, await tokenOf({ header: { kid: undefined } }, rsa))).toBe('ada')
    await expectRefused(auth.verify(await tokenOf({ header: { kid: undefined } })))
  })

  test('for encryption is not one to verify with', async () => {
    const there = await perTest.start(startAnswering())
    const { d: _, ...open } = es
    for (const other of [{ use: 'enc' }, { key_ops: ['encrypt'] }]) {
      there.answers.keys = { keys: [{ ...open, ...other }] }
      await expectRefused(perTest.open(there.issuer).verify(await sign(there.issuer, es)))
    }
  })

  test('without an algorithm of its own verifies what its kind can', async () => {
    const there = await perTest.start(
      startAnswering(keys.map((key) => ({ ...key, alg: undefined as never }))),
    )
    const here = perTest.open(there.issuer)
    for (const key of [es, rsa, { ...rsa, alg: 'PS256' }]) {
      expect(await idOf(here, await sign(there.issuer, key))).toBe('ada')
    }
  })

  test('an extension that must be understood and is not, is refused', async () => {
    const [, payload, signature] = (await tokenOf()).split('.')
    const header = encode({ alg: 'ES256', kid: 'es', typ: 'at+jwt', crit: ['exp', 'x'], x: 1 })
    await expectRefused(auth.verify(`${header}.${payload}.${signature}`))
  })
})

describe('claims', () => {
  test.each([
    ['expired', () => ({ exp: seconds() - 5 })],
    ['without an end', () => ({ exp: undefined })],
    ['whose end is a text', () => ({ exp: 'never' })],
    ['not good yet', () => ({ nbf: seconds() + 60 })],
    ['of another issuer', () => ({ iss: 'https://evil.example' })],
    ['of an issuer that looks the same', () => ({ iss: `${provider.issuer}/` })],
    ['of no issuer', () => ({ iss: undefined })],
    ['of an issuer that is a list', () => ({ iss: [provider.issuer] })],
    ['for others', () => ({ aud: 'bank' })],
    ['for many others', () => ({ aud: ['bank', `${audience}/`] })],
    ['for nobody', () => ({ aud: undefined })],
    ['about nobody', () => ({ sub: undefined, client_id: undefined })],
    ['about an empty name', () => ({ sub: '' })],
    ['about a name with a line break', () => ({ sub: 'ada\nroot' })],
    ['about a name that is a number', () => ({ sub: 7 })],
    ['with a scope that stands for all', () => ({ scope: 'admin *' })],
    ['with scopes that are no texts', () => ({ scope: [{}] })],
    ['with scopes that are no list', () => ({ scope: { admin: true } })],
    ['with more scopes than an account has', () => ({ scope: 'a '.repeat(101) })],
    ['bound to a key of its holder', () => ({ cnf: { jkt: 'x' } })],
  ])('a token %s is refused', async (_what, payload) => {
    await expectRefused(auth.verify(await tokenOf({ payload: payload() })))
  })

  test('of several audiences one is enough', async () => {
    const payload = { aud: ['bank', audience] }
    expect(await idOf(auth, await tokenOf({ payload }))).toBe('ada')
    const both = perTest.open(provider.issuer, { audience: ['x', 'bank'] })
    expect(await idOf(both, await tokenOf({ payload }))).toBe('ada')
  })

  test('clocks may be off as far as is allowed', async () => {
    const slow = perTest.open(provider.issuer, { clockTolerance: 30_000 })
    const late = await tokenOf({ payload: { exp: seconds() - 10 } })
    const early = await tokenOf({ payload: { nbf: seconds() + 10 } })
    for (const token of [late, early]) {
      expect(await idOf(slow, token)).toBe('ada')
      await expectRefused(auth.verify(token))
    }
    // What it proves ends when its issuer said.
    expect((await slow.verify(late)).expiresAt).toBeLessThan(Date.now())
  })

  test('changed after signing, they are refused', async () => {
    const [header, payload = '', signature] = (await tokenOf()).split('.')
    const changed = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), scope: 'root' }
    await expectRefused(auth.verify(`${header}.${encode(changed)}.${signature}`))
  })

  test('of one key under the name of another, they are refused', async () => {
    await expectRefused(auth.verify(await tokenOf({ header: { kid: 'es-2' } })))
  })
})

describe('other tokens of the same provider', () => {
  const asIdToken = { aud: audience, scope: undefined, client_id: undefined, nonce: 'n' }

  test.each([
    'JWT',
    undefined,
    'id+jwt',
    'logout+jwt',
    'dpop+jwt',
    'secevent+jwt',
    'token-introspection+jwt',
    7,
  ])('of the type %s are refused', async (typ) => {
    await expectRefused(auth.verify(await tokenOf({ header: { typ } })))
  })

  test('a type may be written in full', async () => {
    const token = await tokenOf({ header: { typ: 'application/AT+JWT' } })
    expect(await idOf(auth, token)).toBe('ada')
  })

  test.each([
    ['JWT', { scope: 'admin', client_id: undefined }],
    [undefined, { scope: undefined, scp: ['admin'], client_id: undefined }],
    ['jwt', { scope: undefined }],
    ['JWT', { token_use: 'access' }],
    ['JWT', { typ: 'Bearer' }],
  ])('of the type %s with %j are taken where plain ones are', async (typ, payload) => {
    const here = perTest.open(provider.issuer, { plainTokens: true })
    expect(await idOf(here, await tokenOf({ header: { typ }, payload }))).toBe('ada')
  })

  test.each([
    ['an ID token', asIdToken],
    ['an ID token without a nonce', { ...asIdToken, nonce: undefined }],
    ['an ID token with a client', { ...asIdToken, client_id: 'web' }],
    ['an ID token with an access token beside it', { scope: 'openid', at_hash: 'x' }],
    ['an ID token with a code beside it', { scope: 'openid', c_hash: 'x' }],
    ['an ID token with a state', { scope: 'openid', s_hash: 'x' }],
    ['one that says that it is an ID token', { token_use: 'id' }],
    ['one that says so otherwise', { typ: 'ID' }],
    ['a refresh token', { typ: 'Refresh' }],
  ])('%s is refused even so', async (_what, payload) => {
    const here = perTest.open(provider.issuer, { plainTokens: true })
    await expectRefused(here.verify(await tokenOf({ header: { typ: 'JWT' }, payload })))
  })

  test('a function may tell them apart, and sees no other types', async () => {
    const seen: unknown[] = []
    const here = perTest.open(provider.issuer, {
      plainTokens: ({ idtyp }) => {
        seen.push(idtyp)
        return idtyp === 'app'
      },
    })
    const plain = (payload: object, typ = 'JWT') =>
      tokenOf({ header: { typ }, payload: { ...asIdToken, ...payload } })
    expect(await idOf(here, await plain({ idtyp: 'app' }))).toBe('ada')
    await expectRefused(here.verify(await plain({})))
    await expectRefused(here.verify(await plain({ idtyp: 'app' }, 'logout+jwt')))
    expect(seen).toEqual(['app', undefined])
  })
})

describe('issuers', () => {
  test('a provider vouches for nobody in the name of another', async () => {
    const other = await perTest.start(startProvider({ keys: [await newKey('ES256', 'es')] }))
    await expectRefused(auth.verify(await other.token({ resource: audience, account: 'ada' })))
    const own = await newKey('ES256', 'es')
    await expectRefused(auth.verify(await sign(provider.issuer, own)))
    expect(await idOf(auth, await tokenOf())).toBe('ada')
  })

  test.each(['/', '/x', ' '])(
    'a document of the issuer with %j at its end is none',
    async (end) => {
      const there = await perTest.start(startAnswering([es]))
      there.answers.document = { issuer: there.issuer + end, jwks_uri: `${there.issuer}/keys` }
      await expect(
        perTest.open(there.issuer).verify(await sign(there.issuer, es)),
      ).rejects.toMatchObject({
        code: 'unavailable',
        detail: expect.stringContaining(`its issuer is "${there.issuer}${end}"`),
      })
      expect(there.requests).not.toContain('/keys')
    },
  )

  test('a document is not read in the name of whoever it says', async () => {
    const there = await perTest.start(startAnswering([es]))
    there.answers.document = { issuer: provider.issuer, jwks_uri: `${provider.issuer}/jwks` }
    await expect(
      perTest.open(there.issuer).verify(await sign(there.issuer, es)),
    ).rejects.toMatchObject({
      code: 'unavailable',
    })
  })
})

test('a token too long is not looked at, and one cut short is none', async () => {
  const long = await tokenOf({ payload: { more: 'x'.repeat(16_384) } })
  await expectRefused(auth.verify(long))
  const token = await tokenOf()
  for (let length = 0; length < token.length; length += 7) {
    await expectRefused(auth.verify(token.slice(0, length)))
  }
})

test('a refusal tells nothing of why, but the log does, with nothing of the token', async () => {
  const logger = memoryLogger()
  logger.level = 'debug'
  const here = perTest.open(provider.issuer, { logger })
  const tokens = [
    'x',
    await tokenOf({ payload: { exp: 1 } }),
    await tokenOf({ payload: { aud: 'secret-audience' } }),
    await tokenOf({ header: { kid: 'secret-kid' } }),
    await tokenOf({ payload: { sub: 'secret\nsub' } }),
  ]
  const outcomes = await Promise.all(
    tokens.map((token) => here.verify(token).catch((error: unknown) => JSON.stringify(error))),
  )
  expect(new Set(outcomes).size).toBe(1)
  const lines = logger.lines.map((line) => JSON.stringify(line)).join('\n')
  for (const reason of ['no JWT', '"exp', '"aud', 'no such key', 'id: give']) {
    expect(lines.replaceAll('\\"', '"')).toContain(reason)
  }
  for (const token of tokens.slice(1)) expect(lines).not.toContain(token.slice(0, 30))
  expect(lines).not.toContain('secret')
})
