import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createService } from '@micro/core'
import type { Subject } from '@micro/core/auth'
import { memoryLogger } from '@micro/core/logger'
import { MemoryStoreBackend, memoryStore } from '@micro/core/store'
import {
  generateJwtKey,
  type JwtAuthOptions,
  type JwtKey,
  jwksService,
  jwtAuth,
} from '@micro/plugin-auth-jwt'
import { httpTransport } from '@micro/plugin-transport-http'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterEach, describe, expect, test } from 'vitest'

const ada: Subject = { id: 'ada', type: 'user', scopes: ['a', 'b'], metadata: { team: 'blue' } }
const issuer = 'https://auth.example'
const undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one()
})

function open(options: Partial<JwtAuthOptions> = {}) {
  const auth = jwtAuth({ issuer, ...options })
  undo.push(() => auth.close())
  return auth
}
const tokenOf = async (auth: ReturnType<typeof open>): Promise<string> =>
  (await auth.issue?.(ada))?.accessToken ?? ''

describe('what is issued', () => {
  test('has the claims of RFC 9068, or those of the Go framework', async () => {
    const keys = [await generateJwtKey({ kid: 'one' })]
    const token = await tokenOf(open({ keys, audience: 'shop' }))
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'EdDSA', kid: 'one', typ: 'at+jwt' })
    expect(decodeJwt(token)).toMatchObject({
      iss: issuer,
      aud: 'shop',
      sub: 'ada',
      scope: 'a b',
      type: 'user',
      metadata: { team: 'blue' },
    })
    const go = open({ keys: [await generateJwtKey({ alg: 'RS256' })], claims: 'go' })
    const other = await tokenOf(go)
    expect(decodeJwt(other)).toMatchObject({ sub: 'ada', scopes: ['a', 'b'], type: 'user' })
    expect((await go.verify(other)).account).toMatchObject(ada)
  })

  test('needs a private key', async () => {
    const { d: _, ...open1 } = await generateJwtKey()
    await expect(tokenOf(open({ keys: [open1] }))).rejects.toMatchObject({
      code: 'failed_precondition',
      detail: expect.stringContaining('keys:'),
    })
    expect(open().issue).toBeUndefined()
  })
})

describe('rotation', () => {
  test('a key in front signs, those behind still verify, one that is gone does not', async () => {
    const [old, fresh] = [await generateJwtKey(), await generateJwtKey({ alg: 'ES256' })]
    let current: readonly JwtKey[] = [old]
    const auth = open({ keys: () => current, keyCooldown: 1, keyInterval: 20 })
    const before = await tokenOf(auth)
    current = [fresh, old]
    await expect.poll(async () => decodeProtectedHeader(await tokenOf(auth)).kid).toBe(fresh.kid)
    expect((await auth.verify(before)).account.id).toBe('ada')
    current = [fresh]
    await expect.poll(() => auth.verify(before).catch(() => 'refused')).toBe('refused')
  })

  test('two instances that rotate at once verify what the other signs', async () => {
    const keys = await Promise.all(Array.from({ length: 4 }, () => generateJwtKey()))
    let published: readonly JwtKey[] = [keys[0] as JwtKey]
    const backend = new MemoryStoreBackend()
    const pair = [1, 2].map(() =>
      open({
        keys: () => published,
        keyCooldown: 1,
        keyInterval: 5,
        store: memoryStore({ backend }),
      }),
    )
    for (const fresh of keys.slice(1)) {
      // First behind, for all to know it, then in front.
      published = [...published, fresh]
      published = [fresh, ...published.filter((one) => one !== fresh)]
      for (let round = 0; round < 20; round++) {
        const [one, other] = round % 2 === 0 ? pair : [...pair].reverse()
        if (one === undefined || other === undefined) throw new Error('there are two')
        const issued = await one.issue?.(ada)
        expect((await other.verify(issued?.accessToken ?? '')).account.id).toBe('ada')
        const refreshed = await other.refresh?.(issued?.refreshToken ?? '')
        expect((await one.verify(refreshed?.accessToken ?? '')).account.id).toBe('ada')
      }
    }
  })
})

describe('the keys of others', () => {
  /** Serves the keys of an auth as a real service would. */
  async function serve(auth: ReturnType<typeof open>, port = 0) {
    const service = createService({
      name: 'issuer',
      logger: memoryLogger(),
      shutdown: { signals: false, spread: 0 },
      transports: [
        httpTransport({
          port,
          routes: [{ method: 'GET', path: '/jwks.json', service: 'micro.jwks', call: 'keys' }],
        }),
      ],
    }).handle(jwksService, { keys: () => auth.jwks() })
    await service.start()
    undo.push(() => service.stop())
    return { service, url: `${service.nodes[0]?.endpoints[0]?.url}/jwks.json` }
  }

  test('are fetched from where they are served, without a private part', async () => {
    const keys = await Promise.all(
      (['EdDSA', 'ES256', 'RS256'] as const).map((alg) => generateJwtKey({ alg })),
    )
    const there = open({ issuer: 'https://id.example', keys })
    const { url } = await serve(there)
    const text = await (await fetch(url)).text()
    for (const { d, p, q } of keys) {
      for (const secret of [d, p, q]) if (secret !== undefined) expect(text).not.toContain(secret)
    }
    const here = open({ trusted: [{ issuer: 'https://id.example', jwksUrl: url }] })
    expect(here.supports).toEqual({ issue: false, refresh: false, revoke: false })
    expect((await here.verify(await tokenOf(there))).account).toMatchObject({
      ...ada,
      issuer: 'https://id.example',
    })
  })

  test('stay good while the issuer is away, and a new one is found when it is back', async () => {
    let keys = [await generateJwtKey()]
    const there = open({ issuer: 'https://id.example', keys: () => keys, keyInterval: 5 })
    const { service, url } = await serve(there)
    const here = open({
      trusted: [{ issuer: 'https://id.example', jwksUrl: url }],
      keyCooldown: 1,
      keyInterval: 20,
      cache: 0,
    })
    await here.verify(await tokenOf(there))
    await service.stop()
    await expect.poll(() => here.health().status).toBe('degraded')
    expect(here.health().detail).toContain('https://id.example')
    await here.verify(await tokenOf(there))
    const fresh = await generateJwtKey()
    keys = [fresh, ...keys]
    await expect.poll(async () => decodeProtectedHeader(await tokenOf(there)).kid).toBe(fresh.kid)
    const unknown = await tokenOf(there)
    await expect(here.verify(unknown)).rejects.toMatchObject({ code: 'unauthenticated' })
    await serve(there, Number(new URL(url).port))
    await expect
      .poll(async () => (await here.verify(unknown).catch(() => undefined))?.account.id)
      .toBe('ada')
    await expect.poll(() => here.health().status).toBe('up')
  })

  test('are not asked for by everyone who makes a name up', async () => {
    let asked = 0
    const [real, madeUp] = [await generateJwtKey(), await generateJwtKey()]
    const { d: _, ...shown } = real
    const server = createServer((_request, response) => {
      asked += 1
      response.end(JSON.stringify({ keys: [shown] }))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    undo.push(() => new Promise((resolve) => server.close(resolve)))
    const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const here = open({ trusted: [{ issuer: 'https://id.example', jwksUrl }] })
    const forger = open({ issuer: 'https://id.example', keys: [madeUp] })
    const owner = open({ issuer: 'https://id.example', keys: [real] })
    await here.verify(await tokenOf(owner))
    for (let at = 0; at < 50; at++) {
      await expect(here.verify(await tokenOf(forger))).rejects.toMatchObject({
        code: 'unauthenticated',
      })
    }
    expect(asked).toBe(1)
    server.closeAllConnections()
  })

  test.each([
    ['a status', (): [number, string] => [500, '']],
    ['no JSON', (): [number, string] => [200, '<html>']],
    ['no keys', (): [number, string] => [200, '{}']],
    ['keys that are none', (): [number, string] => [200, '{"keys":[1]}']],
    ['a redirect', (): [number, string] => [302, '']],
    ['very much', (): [number, string] => [200, ' '.repeat(2 << 20)]],
  ])('that come as %s are unavailable, not a reason to let anyone in', async (_what, answer) => {
    const server = createServer((_request, response) => {
      const [status, body] = answer()
      response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end(body)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    undo.push(() => new Promise((resolve) => server.close(resolve)))
    const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const here = open({ trusted: [{ issuer: 'https://id.example', jwksUrl }] })
    const owner = open({ issuer: 'https://id.example', keys: [await generateJwtKey()] })
    await expect(here.verify(await tokenOf(owner))).rejects.toMatchObject({
      code: 'unavailable',
      detail: expect.stringContaining('issuer https://id.example: no keys can be had'),
    })
    server.closeAllConnections()
  })

  test('claims of others mean what they are told to mean', async () => {
    const key = await generateJwtKey()
    const there = open({ issuer: 'https://id.example', keys: [key] })
    const { url } = await serve(there)
    const here = open({
      trusted: [
        {
          issuer: 'https://id.example',
          jwksUrl: url,
          account: ({ sub, scope }) =>
            sub === 'ada'
              ? { id: `id:${sub}`, type: 'user', scopes: [`id.${scope}`], metadata: {} }
              : undefined,
        },
      ],
    })
    expect((await here.verify(await tokenOf(there))).account).toEqual({
      id: 'id:ada',
      type: 'user',
      issuer: 'https://id.example',
      scopes: ['id.a b'],
      metadata: {},
    })
    const bob = (await there.issue?.({ ...ada, id: 'bob' }))?.accessToken ?? ''
    await expect(here.verify(bob)).rejects.toMatchObject({ code: 'unauthenticated' })
  })
})

test('a revoked token is not good again because it was verified before', async () => {
  const backend = new MemoryStoreBackend()
  const keys = [await generateJwtKey()]
  const [one, other] = [1, 2].map(() => open({ keys, store: memoryStore({ backend }) }))
  const token = (await one?.issue?.(ada))?.accessToken ?? ''
  await other?.verify(token)
  await one?.revoke?.(token)
  await expect.poll(() => other?.verify(token).catch(() => 'refused')).toBe('refused')
})

test.each([
  ['issuer', { issuer: '' }],
  ['ttl', { ttl: 0 }],
  ['keys[0].kid', { keys: [{ kty: 'OKP', alg: 'EdDSA' } as never] }],
  ['keys[0].alg', { keys: [{ kty: 'oct', kid: 'a', alg: 'HS256' } as never] }],
  ['trusted[0].jwksUrl', { trusted: [{ issuer: 'x', jwksUrl: 'file:///etc/passwd' }] }],
  ['trusted[0].issuer', { trusted: [{ issuer, jwksUrl: 'http://x' }] }],
  ['claims', { claims: 'x' as never }],
  ['clockTolerance', { clockTolerance: -1 }],
  ['keyInterval', { keyInterval: 0 }],
  ['keyCooldown', { keyCooldown: 0 }],
  ['cache', { cache: -1 }],
])('a bad %s is refused by name', (field, options) => {
  expect(() => jwtAuth({ issuer, ...options })).toThrow(`${field}:`)
})
