import { createConfig } from '@micro/core/config'
import { type HttpSourceOptions, httpSource } from '@micro/plugin-config-http'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Documents, serveDocuments } from './support.ts'

let documents: Documents
const opened: AsyncDisposable[] = []
beforeEach(async () => {
  documents = await serveDocuments()
})
afterEach(async () => {
  for (const one of opened.splice(0)) await one[Symbol.asyncDispose]()
  await documents.close()
})

const open = (path: string, options: Partial<HttpSourceOptions> = {}) => {
  const source = httpSource({ url: documents.url + path, interval: 10, ...options })
  opened.push(source)
  return source
}

describe('documents', () => {
  test.each([
    ['/a', 'application/json', '{"a":{"b":1}}'],
    ['/a', 'application/yaml; charset=utf-8', 'a:\n  b: 1\n'],
    ['/a', 'application/toml', '[a]\nb = 1\n'],
    ['/a.yaml', 'text/plain', 'a:\n  b: 1\n'],
    ['/a.json', '', '{"a":{"b":1}}'],
  ])('%s as %s', async (path, type, text) => {
    documents.type = type
    documents.texts.set(path, text)
    const { values } = await open(path).load()
    expect(values).toEqual({ a: { b: 1 } })
  })

  test('the kind can be told, and must be where nothing else tells it', async () => {
    documents.type = 'text/html'
    documents.texts.set('/a', 'a: 1')
    expect((await open('/a', { kind: 'yaml' }).load()).values).toEqual({ a: 1 })
    await expect(open('/a').load()).rejects.toMatchObject({
      code: 'invalid_argument',
      detail: expect.stringContaining('set the option kind'),
    })
  })

  test('values come with URL and line, without its query', async () => {
    documents.type = 'application/yaml'
    documents.texts.set('/app', 'a: 1\nb:\n  c: 2\n')
    const config = createConfig({ sources: [open('/app?token=hunter2')] })
    opened.push(config)
    await config.connect()
    expect(config.explain('b.c')).toMatchObject([{ origin: `${documents.url}/app:3` }])
    expect(JSON.stringify(config.explain('b'))).not.toContain('hunter2')
  })

  test('one that has not changed is not sent again', async () => {
    documents.texts.set('/a', '{"a":1}')
    const source = open('/a')
    await source.load()
    expect((await source.load()).values).toEqual({ a: 1 })
    const [first, second] = documents.requests
    expect(first?.headers['if-none-match']).toBeUndefined()
    expect(second?.headers['if-none-match']).toMatch(/^"[0-9a-f]{40}"$/)
    documents.texts.set('/a', '{"a":2}')
    expect((await source.load()).values).toEqual({ a: 2 })
  })

  test('by its date, where there is no ETag', async () => {
    const date = 'Mon, 23 Nov 2026 00:00:00 GMT'
    documents.intercept = (request, response) => {
      const known = request.headers['if-modified-since'] === date
      response.writeHead(known ? 304 : 200, {
        'content-type': 'application/json',
        'last-modified': date,
      })
      response.end(known ? undefined : '{"a":1}')
    }
    const source = open('/a')
    await source.load()
    expect((await source.load()).values).toEqual({ a: 1 })
    expect(documents.requests[1]?.headers['if-modified-since']).toBe(date)
  })

  test('headers are sent, and asked for anew each time if they are a function', async () => {
    documents.texts.set('/a', '{}')
    let token = 0
    const source = open('/a', { headers: async () => ({ authorization: `Bearer ${++token}` }) })
    await source.load()
    await source.load()
    expect(documents.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer 1',
      'Bearer 2',
    ])
  })
})

describe('failures', () => {
  test.each([
    [404, 'status 404'],
    [500, 'status 500'],
    [304, 'status 304'],
    [204, 'status 204'],
    [302, 'it redirects (status 302)'],
  ])('status %i is unavailable, and says so', async (status, why) => {
    documents.intercept = (_request, response) => {
      response.writeHead(status, { location: '/elsewhere' }).end()
    }
    const source = open('/a?token=hunter2')
    const error = await source.load().catch((failure: Error) => failure)
    expect(error).toMatchObject({ code: 'unavailable', detail: expect.stringContaining(why) })
    expect(String(error)).not.toContain('hunter2')
    expect(source.health()).toMatchObject({ status: 'degraded' })
  })

  test('a redirect is not followed: nobody else is shown the headers', async () => {
    documents.intercept = (_request, response) => {
      response.writeHead(307, { location: `${documents.url}/b` }).end()
    }
    const headers = { 'x-token': 'hunter2' }
    await expect(open('/a', { headers }).load()).rejects.toMatchObject({ code: 'unavailable' })
    expect(documents.requests.map(({ path }) => path)).toEqual(['/a'])
  })

  test('a server that never answers is given up', async () => {
    documents.intercept = () => undefined
    await expect(open('/a', { timeout: 30 }).load()).rejects.toMatchObject({
      code: 'unavailable',
      detail: expect.stringContaining('within 30 ms (timeout)'),
    })
  })

  test('one that stops in the middle is, too', async () => {
    documents.intercept = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write('{"a":')
    }
    await expect(open('/a', { timeout: 30 }).load()).rejects.toMatchObject({ code: 'unavailable' })
    documents.intercept = (_request, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"a":', () => response.destroy())
    }
    await expect(open('/a').load()).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('nobody there is unavailable', async () => {
    const { url } = documents
    await documents.close()
    await expect(httpSource({ url }).load()).rejects.toMatchObject({
      code: 'unavailable',
      detail: expect.stringContaining('ECONNREFUSED'),
    })
    documents = await serveDocuments()
  })

  test('a document that is too large is refused, also when it is small while compressed', async () => {
    documents.texts.set('/a', JSON.stringify({ a: ' '.repeat(100_000) }))
    await expect(open('/a', { maxBytes: 50_000 }).load()).rejects.toMatchObject({
      code: 'resource_exhausted',
      detail: expect.stringContaining('maxBytes'),
    })
  })

  test('what is no UTF-8 is refused', async () => {
    documents.texts.set('/a', Buffer.from([0x7b, 0xff, 0x7d]))
    await expect(open('/a').load()).rejects.toMatchObject({ code: 'invalid_argument' })
  })
})

describe('following', () => {
  const schema = z.object({ port: z.number() })
  const follow = async (options: Partial<HttpSourceOptions> = {}) => {
    documents.texts.set('/a', '{"port":1}')
    const config = createConfig({ schema, sources: [open('/a', options)], coalesce: 1 })
    opened.push(config)
    await config.connect()
    return config
  }

  test('a bad document leaves the last good one, and is told of', async () => {
    const config = await follow()
    for (const bad of ['{', '{"port":"x"}', '[]']) {
      const refused = new Promise((resolve) => config.onRejected(resolve))
      documents.texts.set('/a', bad)
      await refused
      expect(config.value.port).toBe(1)
      expect(config.health().status).toBe('degraded')
      documents.texts.set('/a', '{"port":1}')
      await expect.poll(() => config.health().status).toBe('up')
    }
  })

  test('a server that goes away is told of; when it is back, so is what it says', async () => {
    const config = await follow()
    const port = Number(new URL(documents.url).port)
    await documents.close()
    await expect.poll(() => config.health().status).toBe('degraded')
    expect(config.health().detail).toContain('source "http"')
    expect(config.value.port).toBe(1)
    documents = await serveDocuments(port)
    documents.texts.set('/a', '{"port":2}')
    await expect.poll(() => config.value.port, { timeout: 5_000 }).toBe(2)
    await expect.poll(() => config.health().status).toBe('up')
  })

  test('without ETags, what is the same is no change', async () => {
    documents.etags = false
    documents.texts.set('/a', '{"port":1}')
    const source = open('/a')
    const seen: unknown[] = []
    const watching = (async () => {
      for await (const { values } of source.watch?.() ?? []) seen.push(values)
    })()
    await expect.poll(() => documents.requests.length).toBeGreaterThan(3)
    documents.texts.set('/a', '{"port":2}')
    await expect.poll(() => seen.length).toBe(2)
    await source.close()
    await watching
    expect(seen).toEqual([{ port: 1 }, { port: 2 }])
  })
})

test.each([
  ['url', { url: 'config.example' }],
  ['url', { url: 'file:///etc/passwd' }],
  ['url', { url: 'http://user:hunter2@config.example' }],
  ['kind', { kind: 'xml' as never }],
  ['interval', { interval: 0 }],
  ['timeout', { timeout: 1.5 }],
  ['maxBytes', { maxBytes: -1 }],
])('a bad %s is refused by name', (field, options) => {
  const make = () => httpSource({ url: 'http://config.example', ...options })
  expect(make).toThrow(`${field}:`)
  expect(make).not.toThrow('hunter2')
})
