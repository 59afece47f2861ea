import type { Auth } from '@micro/core/auth'
import { memoryLogger } from '@micro/core/logger'
import { type OidcAuthOptions, oidcAuth } from '@micro/plugin-auth-oidc'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectRefused, usePerTest } from './support/opened.ts'
import {
  client,
  newKey,
  type ProviderKey,
  startProvider,
  type TestProvider,
} from './support/provider.ts'
import { audience, sign } from './support/sign.ts'

const { open } = usePerTest()
let key: ProviderKey
let provider: TestProvider
beforeAll(async () => {
  key = await newKey()
  provider = await startProvider({ keys: [key] })
})
afterAll(() => provider.stop())

const accountOf = async (auth: Auth, payload: Readonly<Record<string, unknown>>) =>
  (await auth.verify(await sign(provider.issuer, key, { payload }))).account
const nobody = { sub: undefined, client_id: undefined, scope: undefined }

describe('by default', () => {
  test('people are users, and clients that speak for themselves services', async () => {
    const auth = open(provider.issuer)
    const person = await provider.token({ resource: audience, account: 'ada', scope: 'a b' })
    expect((await auth.verify(person)).account).toEqual({
      id: 'ada',
      type: 'user',
      issuer: provider.issuer,
      scopes: ['a', 'b'],
      metadata: {},
    })
    const service = await provider.token({ resource: audience, scope: 'a' })
    expect((await auth.verify(service)).account).toMatchObject({ id: client.id, type: 'service' })
  })

  test.each([
    [
      { sub: 'ada', client_id: 'web' },
      { id: 'ada', type: 'user' },
    ],
    [{ sub: 'ada' }, { id: 'ada', type: 'user' }],
    [
      { sub: 'web', client_id: 'web' },
      { id: 'web', type: 'service' },
    ],
    [
      { sub: 'web', azp: 'web' },
      { id: 'web', type: 'service' },
    ],
    [
      { sub: 'ada', azp: 'web' },
      { id: 'ada', type: 'user' },
    ],
    [{ client_id: 'web' }, { id: 'web', type: 'service' }],
    [{ azp: 'web' }, { id: 'web', type: 'service' }],
    [{ sub: 'ada', scope: ' a  b ' }, { scopes: ['a', 'b'] }],
    [{ sub: 'ada', scp: ['a', 'b'] }, { scopes: ['a', 'b'] }],
    [{ sub: 'ada', scp: 'a b' }, { scopes: ['a', 'b'] }],
    [{ sub: 'ada', scope: 'a', scp: ['b'] }, { scopes: ['a'] }],
    [{ sub: 'ada', iss2: 'x', issuer: 'https://evil.example' }, { id: 'ada' }],
  ])('%j is %j', async (payload, account) => {
    const found = await accountOf(open(provider.issuer), { ...nobody, ...payload })
    expect(found).toMatchObject({ ...account, issuer: provider.issuer })
  })
})

describe('roles', () => {
  test.each([
    ['roles', { roles: ['admin'] }, ['role:admin']],
    ['https://shop.example/roles', { 'https://shop.example/roles': 'x y' }, ['role:x', 'role:y']],
    [
      ['realm_access', 'roles'],
      { realm_access: { roles: ['admin', 'x'] } },
      ['role:admin', 'role:x'],
    ],
    ['roles', {}, []],
    [['realm_access', 'roles'], { realm_access: 7 }, []],
    [['__proto__', 'roles'], {}, []],
    [['toString', 'name'], {}, []],
  ])('at %j of %j are %j', async (roles, payload, scopes) => {
    const auth = open(provider.issuer, { roles: roles as string | string[] })
    expect((await accountOf(auth, { scope: 'a', ...payload })).scopes).toEqual(['a', ...scopes])
  })

  test.each([[{ roles: { admin: true } }], [{ roles: ['a b'] }], [{ roles: 7 }]])(
    'that are %j refuse the token, and grant no less than was meant',
    async (payload) => {
      await expectRefused(accountOf(open(provider.issuer, { roles: 'roles' }), payload))
    },
  )

  test('cannot be had by asking for a scope of the name', async () => {
    // Which scopes a client may ask for is the provider's to say; the README says so.
    const auth = open(provider.issuer, { roles: 'roles' })
    expect((await accountOf(auth, { scope: 'admin', roles: [] })).scopes).toEqual(['admin'])
  })
})

describe('account', () => {
  test('is laid over the default, but for the issuer', async () => {
    const auth = open(provider.issuer, {
      account: ({ sub, team }) => ({
        id: `id:${sub}`,
        metadata: { team: String(team) },
        issuer: 'https://evil.example',
        more: 1,
      }),
    })
    expect(await accountOf(auth, { team: 'blue' })).toEqual({
      id: 'id:ada',
      type: 'user',
      issuer: provider.issuer,
      scopes: ['admin'],
      metadata: { team: 'blue' },
    })
  })

  test.each([
    ['refuses', (): undefined => undefined],
    ['gives no id', () => ({ id: '' })],
    ['gives a type that is none', () => ({ type: 'Some One' })],
    ['gives metadata that is no text', () => ({ metadata: { a: 1 } })],
    ['gives no metadata', () => ({ metadata: undefined })],
    ['gives metadata without end', () => ({ metadata: { a: 'x'.repeat(4_096) } })],
    ['gives too many scopes', () => ({ scopes: Array.from({ length: 101 }, String) })],
    ['gives the scope that stands for all', () => ({ scopes: ['*'] })],
  ] as const)('that %s refuses the token', async (_what, account) => {
    const auth = open(provider.issuer, { account: account as never })
    await expectRefused(accountOf(auth, {}))
  })

  test.each(['account', 'plainTokens'] as const)(
    'when %s() throws, the token is refused and the log says why',
    async (name) => {
      const logger = memoryLogger()
      const bug = new TypeError('no such thing')
      const auth = open(provider.issuer, {
        logger,
        [name]: (): never => {
          throw bug
        },
      })
      const token = await sign(provider.issuer, key, {
        header: name === 'account' ? {} : { typ: 'JWT' },
      })
      await expectRefused(auth.verify(token))
      expect(logger.lines).toEqual([
        expect.objectContaining({
          level: 'warn',
          fields: { issuer: provider.issuer, reason: `${name}() threw`, error: bug },
        }),
      ])
    },
  )

  test('sees no token that is not verified', async () => {
    const seen: unknown[] = []
    const auth = open(provider.issuer, {
      account: (claims) => {
        seen.push(claims.sub)
        return {}
      },
    })
    await expectRefused(auth.verify(await sign(provider.issuer, await newKey('ES256', key.kid))))
    await expectRefused(accountOf(auth, { aud: 'bank' }))
    await accountOf(auth, {})
    expect(seen).toEqual(['ada'])
  })
})

const good: OidcAuthOptions = { issuer: 'https://id.example', audience }
const introspection = { clientId: 'a', clientSecret: 'b' }

test.each([
  ['issuer', { issuer: undefined }],
  ['issuer', { issuer: 'id.example' }],
  ['issuer', { issuer: 'file:///etc/passwd' }],
  ['issuer', { issuer: 'https://id.example?tenant=1' }],
  ['issuer', { issuer: 'https://id.example#' }],
  ['issuer', { issuer: 'https://ada:secret@id.example' }],
  ['issuer', { issuer: 'http://id.example' }],
  ['issuer', { issuer: 'http://127.evil.example' }],
  ['audience', { audience: undefined }],
  ['audience', { audience: '' }],
  ['audience', { audience: [] }],
  ['audience', { audience: ['a', ''] }],
  ['roles', { roles: [] }],
  ['account', { account: {} }],
  ['fetch', { fetch: 'x' }],
  ['plainTokens', { plainTokens: 'yes' }],
  ['allowInsecure', { allowInsecure: 1 }],
  ['clockTolerance', { clockTolerance: -1 }],
  ['clockTolerance', { clockTolerance: 600_001 }],
  ['keyInterval', { keyInterval: 0 }],
  ['keyCooldown', { keyCooldown: 0 }],
  ['keyMaxAge', { keyMaxAge: 0.5 }],
  ['timeout', { timeout: 2 ** 31 }],
  ['maxBytes', { maxBytes: 0 }],
  ['cache', { cache: Number.NaN }],
  ['audiences', { audiences: ['x'] }],
  ['toString', { toString: 1 }],
  ['introspection.clientId', { introspection: { ...introspection, clientId: '' } }],
  ['introspection.clientSecret', { introspection: { ...introspection, clientSecret: 'ü-secret' } }],
  ['introspection.authMethod', { introspection: { ...introspection, authMethod: 'none' } }],
  ['introspection.ttl', { introspection: { ...introspection, ttl: -1 } }],
  ['introspection.concurrency', { introspection: { ...introspection, concurrency: 0 } }],
  ['introspection.secret', { introspection: { ...introspection, secret: 'x' } }],
])('a bad %s is refused by name: %j', (field, options) => {
  const make = () => oidcAuth({ ...good, ...(options as object) })
  expect(make).toThrow(`${field}: `)
  expect(make).not.toThrow('secret@')
  expect(make).not.toThrow('ü-secret')
})

test.each(['http://localhost:7', 'http://127.0.0.1', 'http://[::1]:7', 'https://id.example/a/'])(
  'the issuer %s is taken',
  (issuer) => {
    expect(oidcAuth({ ...good, issuer }).supports).toEqual({
      issue: false,
      refresh: false,
      revoke: false,
    })
  },
)

test('an issuer that others can answer for is taken where that is said', () => {
  expect(oidcAuth({ ...good, issuer: 'http://id.example', allowInsecure: true }).name).toBe('oidc')
})
