import { memoryLogger } from '@micro/core/logger'
import { describe, expect, test } from 'vitest'
import { startAnswering } from './support/answers.ts'
import { expectRefused, idOf, usePerTest } from './support/opened.ts'
import { client, newKey, postingClient, startProvider } from './support/provider.ts'
import { audience, seconds, sign } from './support/sign.ts'

const { open, start } = usePerTest()
const introspection = { clientId: client.id, clientSecret: client.secret }
const opaque = { resource: audience, format: 'opaque', scope: 'a b' } as const
const path = '/token/introspection'

const startReal = async () => start(startProvider({ keys: [await newKey()] }))

describe('a real provider', () => {
  test.each([
    ['in a header', introspection],
    [
      'in the body',
      {
        clientId: postingClient.id,
        clientSecret: postingClient.secret,
        authMethod: 'client_secret_post',
      } as const,
    ],
  ])('tells who a token is of, to a client that shows its secret %s', async (_where, shown) => {
    const provider = await startReal()
    const auth = open(provider.issuer, { introspection: shown })
    const person = await auth.verify(await provider.token({ ...opaque, account: 'ada', ttl: 60 }))
    expect(person.account).toEqual({
      id: 'ada',
      type: 'user',
      issuer: provider.issuer,
      scopes: ['a', 'b'],
      metadata: {},
    })
    expect(person.expiresAt).toBeGreaterThan(Date.now() + 50_000)
    const token = await provider.token(opaque)
    expect(token).not.toContain('.')
    const { account } = await auth.verify(token)
    expect(account).toMatchObject({ id: client.id, type: 'service' })
  })

  test('is asked once for a token, however many show it', async () => {
    const provider = await startReal()
    const auth = open(provider.issuer, { introspection })
    const token = await provider.token({ ...opaque, account: 'ada' })
    await Promise.all(Array.from({ length: 50 }, () => auth.verify(token)))
    const first = await auth.verify(token)
    expect(await auth.verify(token)).toBe(first)
    expect(provider.requests.filter((one) => one === path)).toEqual([path])
    await provider.stop()
    expect(await auth.verify(token)).toBe(first)
  })

  test('is asked again in a while: what was revoked is refused then', async () => {
    const provider = await startReal()
    const auth = open(provider.issuer, { introspection: { ...introspection, ttl: 50 } })
    const token = await provider.token({ ...opaque, account: 'ada' })
    expect(await idOf(auth, token)).toBe('ada')
    await provider.revoke(token)
    await expect.poll(() => idOf(auth, token).catch(() => 'refused')).toBe('refused')
    await expectRefused(auth.verify(token))
  })

  test('is asked once about a token that it does not know', async () => {
    const provider = await startReal()
    const auth = open(provider.issuer, { introspection })
    for (let at = 0; at < 10; at++) await expectRefused(auth.verify('made-up'))
    expect(provider.requests.filter((one) => one === path)).toEqual([path])
  })

  test('is not asked about what is a JWT, or no token', async () => {
    const provider = await startReal()
    const auth = open(provider.issuer, { introspection })
    const jwt = await provider.token({ resource: audience, account: 'ada' })
    expect(await idOf(auth, jwt)).toBe('ada')
    const [header] = jwt.split('.')
    const forged = await sign(provider.issuer, await newKey())
    for (const token of [forged, jwt + jwt, `${header}.a.b.c.d`]) {
      await expectRefused(auth.verify(token))
    }
    for (const none of ['a b', 'ä', 'a\0', 'a"', '=a', 'x'.repeat(20_000)]) {
      await expectRefused(auth.verify(none))
    }
    expect(provider.requests).not.toContain(path)
  })

  test('has other tokens that are active, which are not for here', async () => {
    const provider = await startReal()
    const auth = open(provider.issuer, { introspection })
    await expectRefused(auth.verify(await provider.refreshToken('ada')))
    await expectRefused(auth.verify(await provider.token({ ...opaque, resource: 'urn:x:bank' })))
  })

  test('that refuses this client is unavailable: no token is to blame', async () => {
    const provider = await startReal()
    const token = await provider.token(opaque)
    const logger = memoryLogger()
    const clientSecret = 'not-the-secret'
    const wrong = { ...introspection, clientSecret }
    const auth = open(provider.issuer, { introspection: wrong, logger })
    const error: unknown = await auth.verify(token).catch((one: unknown) => one)
    expect(error).toMatchObject({
      code: 'unavailable',
      detail: `${provider.issuer}${path}: status 401`,
    })
    expect(auth.health()).toMatchObject({
      status: 'degraded',
      detail: expect.stringContaining('status 401'),
    })
    const told = [String(error), JSON.stringify(auth.health()), JSON.stringify(logger.lines)].join()
    for (const secret of [clientSecret, token]) expect(told).not.toContain(secret)
  })

  test('that is away is unavailable; what it said of others holds', async () => {
    const provider = await startReal()
    const auth = open(provider.issuer, { introspection })
    const [known, other] = [
      await provider.token({ ...opaque, account: 'ada' }),
      await provider.token({ ...opaque, account: 'bob' }),
    ]
    await auth.verify(known)
    await provider.stop()
    await expect(auth.verify(other)).rejects.toMatchObject({ code: 'unavailable' })
    expect(await idOf(auth, known)).toBe('ada')
  })

  test('is not asked without being one of its clients', async () => {
    const provider = await startReal()
    await expectRefused(open(provider.issuer).verify(await provider.token(opaque)))
    expect(provider.requests).not.toContain('/.well-known/openid-configuration')
  })
})

describe('an answer', () => {
  const good = { active: true, token_type: 'Bearer', sub: 'ada', aud: audience, scope: 'a' }
  const verifyWith = async (answer: object, clockTolerance = 0) => {
    const there = await start(startAnswering([]))
    there.answers.introspection = answer
    return open(there.issuer, { introspection, clockTolerance }).verify('opaque')
  }

  test('need not tell more than who it is and whom it is meant for', async () => {
    expect(await verifyWith(good)).toMatchObject({ account: { id: 'ada' }, expiresAt: undefined })
    expect(await verifyWith({ ...good, aud: ['x', audience], token_type: 'bearer' })).toBeDefined()
    expect(await verifyWith({ ...good, token_use: 'access_token', typ: 'Bearer' })).toBeDefined()
  })

  test.each([
    ['that says no', { active: false }],
    ['that says yes in another way', { active: 'true' }],
    ['that says nothing', { active: undefined }],
    ['of a refresh token', { token_type: undefined }],
    ['of a refresh token that says so', { token_use: 'refresh_token' }],
    ['of a refresh token that says so otherwise', { typ: 'Refresh' }],
    ['of a token with a proof', { token_type: 'DPoP' }],
    ['of a token bound to a key', { cnf: { jkt: 'x' } }],
    ['of another issuer', { iss: 'https://evil.example' }],
    ['of a token for others', { aud: 'bank' }],
    ['of a token for nobody', { aud: undefined }],
    ['of a token that has expired', { exp: seconds() - 1 }],
    ['of a token that ends in words', { exp: 'tomorrow' }],
    ['of a token that ends in a text', { exp: String(seconds() + 60) }],
    ['of a token that is not good yet', { nbf: seconds() + 60 }],
    ['of nobody', { sub: undefined }],
  ])('%s refuses it', async (_what, other) => {
    await expectRefused(verifyWith({ ...good, ...other }))
  })

  test('of clocks that are off is taken as far as is allowed', async () => {
    const off = { exp: seconds() - 2, nbf: seconds() + 2 }
    expect(await verifyWith({ ...good, ...off }, 10_000)).toBeDefined()
    await expectRefused(verifyWith({ ...good, ...off }, 0))
  })

  test('is forgotten when the token ends', async () => {
    const there = await start(startAnswering([]))
    there.answers.introspection = { ...good, exp: seconds() + 1 }
    const auth = open(there.issuer, { introspection, clockTolerance: 0 })
    expect(await idOf(auth, 'opaque')).toBe('ada')
    await expect
      .poll(() => idOf(auth, 'opaque').catch(() => 'refused'), { timeout: 3_000 })
      .toBe('refused')
  })

  test.each([
    ['a status', 500],
    ['another status that is none of the token', 403],
  ])('that is %s is unavailable', async (_what, status) => {
    const answer = (_: unknown, response: { writeHead(status: number): { end(): void } }) =>
      response.writeHead(status).end()
    await expect(verifyWith(answer)).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('is not followed to elsewhere with the secret', async () => {
    const other = await start(startAnswering([]))
    const answer = (
      _: unknown,
      response: { writeHead(status: number, headers: object): { end(): void } },
    ) => response.writeHead(307, { location: `${other.issuer}/introspection` }).end()
    await expect(verifyWith(answer)).rejects.toMatchObject({ code: 'unavailable' })
    expect(other.requests).toEqual([])
  })

  test('that is long in coming is not waited for by more than are allowed', async () => {
    const there = await start(startAnswering([]))
    const waiting: (() => void)[] = []
    let arrived: () => void = () => undefined
    const two = new Promise<void>((resolve) => {
      arrived = resolve
    })
    there.answers.introspection = (_: unknown, response: { end(text: string): void }) => {
      waiting.push(() => response.end(JSON.stringify(good)))
      if (waiting.length === 2) arrived()
    }
    const auth = open(there.issuer, { introspection: { ...introspection, concurrency: 2 } })
    const [one, other] = [idOf(auth, 'one'), idOf(auth, 'other')]
    await two
    // One more that shows the same waits with it.
    const again = idOf(auth, 'one')
    await expect(auth.verify('third')).rejects.toMatchObject({
      code: 'resource_exhausted',
      detail: expect.stringContaining('introspection.concurrency'),
    })
    for (const answer of waiting) answer()
    expect(await Promise.all([one, other, again])).toEqual(['ada', 'ada', 'ada'])
    there.answers.introspection = good
    expect(await idOf(auth, 'third')).toBe('ada')
  })

  test('that never comes is given up by close', async () => {
    const there = await start(startAnswering([]))
    const auth = open(there.issuer, { introspection })
    there.answers.introspection = () => void auth.close()
    await expect(auth.verify('opaque')).rejects.toMatchObject({ code: 'failed_precondition' })
  })

  test('cannot be had where there is nobody to ask', async () => {
    const key = await newKey()
    const there = await start(startAnswering([key]))
    there.answers.document = { ...there.answers.document, introspection_endpoint: undefined }
    const auth = open(there.issuer, { introspection })
    await expect(auth.verify('opaque')).rejects.toMatchObject({
      code: 'unavailable',
      detail: expect.stringContaining('introspection_endpoint'),
    })
    expect(await idOf(auth, await sign(there.issuer, key))).toBe('ada')
  })

  test('is not asked for where others could hear the secret', async () => {
    const there = await start(startAnswering([]))
    there.answers.document = {
      ...there.answers.document,
      introspection_endpoint: 'http://192.0.2.1/',
    }
    await expect(open(there.issuer, { introspection }).verify('opaque')).rejects.toMatchObject({
      detail: expect.stringContaining('introspection_endpoint is no https: URL'),
    })
  })
})
