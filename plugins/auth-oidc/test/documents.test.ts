import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { type Answering, startAnswering } from './support/answers.ts'
import { idOf, usePerTest } from './support/opened.ts'
import { newKey } from './support/provider.ts'
import { sign } from './support/sign.ts'

const { open, start } = usePerTest()

type Say = (request: IncomingMessage, response: ServerResponse) => void
const say =
  (body: string, status = 200, headers: Readonly<Record<string, string>> = {}): Say =>
  (_request, response) => {
    response.writeHead(status, headers).end(body)
  }

const spoiled: readonly (readonly [
  what: string,
  spoil: (answering: Answering) => Say,
  detail: string,
])[] = [
  ['a status', () => say('{}', 500), 'status 500'],
  ['no content', () => say('', 204), 'status 204'],
  ['nothing', () => say(''), 'it is no JSON'],
  ['a page', () => say('<html>secret</html>'), 'it is no JSON'],
  ['a list', () => say('[]'), 'it is no JSON object'],
  ['null', () => say('null'), 'it is no JSON object'],
  ['a text', () => say('"x"'), 'it is no JSON object'],
  ['many brackets', () => say('['.repeat(500_000)), 'it is no JSON'],
  ['very much', () => say(`{"x":"${'x'.repeat(2 ** 20)}"}`), 'over 1048576 bytes (maxBytes)'],
  ['a redirect to elsewhere', () => say('', 302, { location: 'http://127.0.0.1:1/' }), 'redirect'],
  [
    'a redirect to itself',
    ({ issuer }) => say('', 307, { location: `${issuer}/elsewhere` }),
    'redirect',
  ],
  [
    'half of it',
    () => (_request, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"issuer":', () => response.destroy())
    },
    'UND_ERR_SOCKET',
  ],
  ['no answer', () => () => undefined, 'no answer within 200 ms (timeout)'],
  [
    'a byte now and then',
    () => (request, response) => {
      const timer = setInterval(() => response.write(' '), 10)
      request.on('close', () => clearInterval(timer))
    },
    'no answer within 200 ms (timeout)',
  ],
]

for (const which of ['document', 'keys'] as const) {
  test.each(spoiled)(
    `${which}: %s is unavailable, and lets nobody in`,
    async (_what, spoil, detail) => {
      const key = await newKey()
      const there = await start(startAnswering([key]))
      const good = there.answers[which]
      const auth = open(there.issuer, { timeout: 200 })
      const token = await sign(there.issuer, key)
      there.answers[which] = spoil(there)
      await expect(auth.verify(token)).rejects.toMatchObject({
        code: 'unavailable',
        detail: expect.stringContaining(detail),
      })
      expect(auth.health().detail).not.toContain('secret')
      expect(there.requests).not.toContain('/elsewhere')
      there.answers[which] = good
      await expect.poll(() => idOf(auth, token).catch(() => 'not yet')).toBe('ada')
    },
  )
}

test.each([
  ['no issuer', { issuer: undefined }, 'its issuer is undefined'],
  ['an issuer that is a list', { issuer: ['x'] }, 'its issuer is ["x"]'],
  ['no keys', { jwks_uri: undefined }, 'no jwks_uri'],
  ['keys in a file', { jwks_uri: 'file:///etc/passwd' }, 'jwks_uri is no https: URL'],
  ['keys in itself', { jwks_uri: 'data:application/json,{"keys":[]}' }, 'jwks_uri is no https'],
  ['keys at no URL', { jwks_uri: 7 }, 'jwks_uri is no https: URL'],
  ['keys that others can change', { jwks_uri: 'http://192.0.2.1/' }, 'jwks_uri is no https: URL'],
])('a document with %s is unavailable', async (_what, other, detail) => {
  const key = await newKey()
  const there = await start(startAnswering([key]))
  there.answers.document = { ...there.answers.document, ...other }
  await expect(open(there.issuer).verify(await sign(there.issuer, key))).rejects.toMatchObject({
    code: 'unavailable',
    detail: expect.stringContaining(detail),
  })
})

test.each([
  ['no list', {}, 'no JSON Web Key Set'],
  ['a list of another kind', { keys: {} }, 'no JSON Web Key Set'],
  ['101 keys', { keys: Array.from({ length: 101 }, () => ({})) }, '101 keys, of at most 100'],
])('keys as %s are unavailable', async (_what, keys, detail) => {
  const key = await newKey()
  const there = await start(startAnswering([key]))
  there.answers.keys = keys
  await expect(open(there.issuer).verify(await sign(there.issuer, key))).rejects.toMatchObject({
    code: 'unavailable',
    detail: expect.stringContaining(detail),
  })
})

test('a key that is malformed does not take the others away', async () => {
  const key = await newKey()
  const there = await start(startAnswering([key]))
  const { keys } = there.answers.keys as { keys: unknown[] }
  there.answers.keys = {
    keys: [1, null, 'x', {}, { kty: 'EC', crv: 'P-256' }, { kty: 'ML', alg: 'X' }, ...keys],
  }
  expect(await idOf(open(there.issuer), await sign(there.issuer, key))).toBe('ada')
})

test('a document that is spoiled later changes nothing of what is known', async () => {
  const key = await newKey()
  const there = await start(startAnswering([key]))
  const auth = open(there.issuer, { keyInterval: 10, cache: 0 })
  const token = await sign(there.issuer, key)
  await auth.verify(token)
  const other = await newKey('ES256', key.kid)
  const { d: _, ...shown } = other
  there.answers.document = { ...there.answers.document, issuer: 'https://evil.example' }
  there.answers.keys = { keys: [shown] }
  await expect.poll(() => auth.health().status).toBe('degraded')
  expect(auth.health().detail).toContain('https://evil.example')
  expect(await idOf(auth, token)).toBe('ada')
})

test('a limit may be lower', async () => {
  const key = await newKey()
  const there = await start(startAnswering([key]))
  const token = await sign(there.issuer, key)
  await expect(open(there.issuer, { maxBytes: 20 }).verify(token)).rejects.toMatchObject({
    detail: expect.stringContaining('over 20 bytes (maxBytes)'),
  })
})

test('an issuer may have a path, and a slash at its end', async () => {
  const key = await newKey()
  const there = await start(startAnswering([key]))
  for (const issuer of [`${there.issuer}/realms/shop`, `${there.issuer}/realms/shop/`]) {
    const asked: string[] = []
    const auth = open(issuer, {
      fetch: (url, init) => {
        asked.push(String(url))
        if (!String(url).includes('well-known')) return fetch(url, init)
        return Promise.resolve(Response.json({ issuer, jwks_uri: `${there.issuer}/keys` }))
      },
    })
    expect(await idOf(auth, await sign(issuer, key))).toBe('ada')
    expect(asked[0]).toBe(`${there.issuer}/realms/shop/.well-known/openid-configuration`)
  }
})

test.each([
  ['https://id.example', false, 'http://127.0.0.1/keys', false],
  ['https://id.example', false, 'https://keys.example/', true],
  ['https://id.example', true, 'http://keys.example/', true],
  ['http://127.0.0.1:7', false, 'http://localhost/keys', true],
  ['http://localhost:7', false, 'http://[::1]/keys', true],
  ['http://localhost:7', false, 'http://127.evil.example/keys', false],
  ['http://id.example', true, 'ftp://keys.example/', false],
])('%s (insecure: %s) leads to %s: %s', async (issuer, allowInsecure, keysUrl, leads) => {
  const asked: string[] = []
  const auth = open(issuer, {
    allowInsecure,
    fetch: (url) => {
      asked.push(String(url))
      return Promise.resolve(Response.json({ issuer, jwks_uri: keysUrl }))
    },
  })
  const token = await sign(issuer, await newKey())
  await expect(auth.verify(token)).rejects.toMatchObject({ code: 'unavailable' })
  expect(asked.includes(keysUrl)).toBe(leads)
})
