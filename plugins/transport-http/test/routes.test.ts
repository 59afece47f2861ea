import { createService, defineService, MicroError, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { httpTransport, type PlainRoute } from '@micro/plugin-transport-http'
import { expect, test } from 'vitest'
import { closing } from './support/echo.ts'

const Users = defineService('users', {
  get: unary<{ id: string; fields?: string[] }, { id: string; fields?: string[] }>(),
  put: unary<{ id: string; name: string }, { id: string; name: string }>(),
})
const routes: PlainRoute[] = [
  { method: 'GET', path: '/users/{id}', service: 'users', call: 'get' },
  { method: 'PUT', path: '/users/{id}', service: 'users', call: 'put' },
  { method: 'GET', path: '/v1.0/{tenant}/users/{id}', service: 'users', call: 'get' },
]

async function start(): Promise<
  (path: string, init?: RequestInit) => Promise<{ status: number; body: unknown }>
> {
  const transport = httpTransport({
    routes,
    cors: { origins: ['https://app.example'] },
    maxMessageSize: 10_000,
  })
  const service = closing(
    createService({
      name: 'users',
      logger: memoryLogger(),
      shutdown: { signals: false, spread: 0 },
      transports: [transport],
    }),
  )
  service.handle(Users, {
    get: (input) => {
      if (input.id === 'nobody') throw new MicroError('not_found', 'no such user')
      return input
    },
    put: (input) => input,
  })
  await service.start()
  const url = service.nodes[0]?.endpoints[0]?.url as string
  return async (path, init) => {
    const response = await fetch(url + path, init)
    return { status: response.status, body: await response.json() }
  }
}

test('path and query become the input', async () => {
  const ask = await start()
  expect(await ask('/users/42')).toEqual({ status: 200, body: { id: '42' } })
  expect(await ask('/users/a%20b%2Fc?fields=x&fields=y')).toEqual({
    status: 200,
    body: { id: 'a b/c', fields: ['x', 'y'] },
  })
  expect(await ask('/v1.0/acme/users/7')).toEqual({
    status: 200,
    body: { tenant: 'acme', id: '7' },
  })
  expect((await ask('/v1x0/acme/users/7')).status).toBe(404)
})

test('a body is merged, and the path has the last word', async () => {
  const ask = await start()
  const put = (body: string) => ask('/users/42', { method: 'PUT', body })
  expect(await put('{"name":"Ada","id":"43"}')).toEqual({
    status: 200,
    body: { name: 'Ada', id: '42' },
  })
  expect(await put('[1]')).toMatchObject({ status: 400, body: { code: 'invalid_argument' } })
  expect(await put('{"__proto__":{}}')).toMatchObject({ status: 400 })
  expect(await put(`{"name":"${'x'.repeat(20_000)}"}`)).toMatchObject({ status: 429 })
})

test('failures have the status of their code', async () => {
  const ask = await start()
  expect(await ask('/users/nobody')).toEqual({
    status: 404,
    body: { code: 'not_found', message: 'no such user' },
  })
  expect(await ask('/users/%zz')).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining('percent') },
  })
  expect(await ask('/users/1?__proto__=x')).toMatchObject({ status: 400 })
})

test.each(['users/{id}', '/users/{id', '/users/{__proto__}', '/{a}/{a}'])(
  'refuses the path %s',
  (path) => {
    expect(() =>
      httpTransport({ routes: [{ method: 'GET', path, service: 'users', call: 'get' }] }),
    ).toThrow('option routes')
  },
)

test('browsers of allowed origins may ask, others are not told so', async () => {
  const transport = httpTransport({ cors: { origins: ['https://app.example'] } })
  const service = closing(
    createService({
      name: 'users',
      logger: memoryLogger(),
      shutdown: { signals: false, spread: 0 },
      transports: [transport],
    }),
  )
  service.handle(Users, { get: (input) => input, put: (input) => input })
  await service.start()
  const url = `${service.nodes[0]?.endpoints[0]?.url}/users/get`
  const preflight = (origin: string) =>
    fetch(url, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-headers': 'x-tenant' },
    })
  const allowed = await preflight('https://app.example')
  expect(allowed.status).toBe(204)
  expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example')
  expect(allowed.headers.get('access-control-allow-headers')).toBe('x-tenant')
  expect(
    (await preflight('https://evil.example')).headers.get('access-control-allow-origin'),
  ).toBeNull()
  const answer = await fetch(url, {
    method: 'POST',
    headers: { origin: 'https://app.example', 'content-type': 'application/json' },
    body: '{"id":"1"}',
  })
  expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example')
})
