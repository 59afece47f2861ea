import { defineService, Metadata, serverStream, unary } from '@micro/core'
import {
  accountOf,
  authenticate,
  bearer,
  MemoryAuthBackend,
  memoryAuth,
  readBearer,
  type Subject,
} from '@micro/core/auth'
import { type Context, createContextKey } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import { afterEach, describe, expect, test } from 'vitest'
import { awake, copies, networkWith, quietService } from './support/services.ts'

const ada: Subject = { id: 'ada', type: 'user', scopes: ['admin'], metadata: {} }
const Who = defineService('who', {
  am: unary<{ deep?: boolean }, string>(),
  ticks: serverStream<object, string>(),
})
const nameOf = (context: Pick<Context, 'get'>): string => accountOf(context)?.id ?? 'nobody'

const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of opened.splice(0)) await one[Symbol.asyncDispose]()
})

/** A service that says who it takes its caller for. */
async function startWho(copy: (typeof copies)[number], required = false) {
  const auth = memoryAuth()
  opened.push(auth)
  const network = networkWith(copy)
  const service = quietService({
    ...network,
    middleware: { server: [authenticate({ auth, required })] },
  })
  service.handle(Who, {
    am: async ({ deep = false }, context) => {
      const deeper = deep ? await service.client(Who).am({}) : undefined
      return deeper === undefined ? nameOf(context) : `${nameOf(context)}, then ${deeper}`
    },
    async *ticks(_input, context) {
      yield nameOf(context)
      await new Promise((_resolve, reject) => context.onCancel(reject))
    },
  })
  await service.start()
  const tokenOf = async (ttl = 60_000, subject: Subject = ada): Promise<string> =>
    (await auth.issue?.(subject, { ttl }))?.accessToken ?? ''
  return { auth, network, tokenOf, who: quietService(network).client(Who) }
}

describe.each(copies)('authenticate, by %s', (copy) => {
  test('a valid token makes the account; none is nobody', async () => {
    const { who, tokenOf } = await startWho(copy)
    const authorization = `Bearer ${await tokenOf()}`
    expect(await who.am({}, { metadata: { authorization } })).toBe('ada')
    expect(await who.am({}, { metadata: { authorization: authorization.replace('B', 'b') } })).toBe(
      'ada',
    )
    expect(await who.am({})).toBe('nobody')
  })

  test.each([
    ['empty', ''],
    ['of another scheme', 'Basic YTpi'],
    ['without a scheme', 'x'],
    ['without a token', 'Bearer '],
    ['with two tokens', 'Bearer a b'],
    ['with a list', 'Bearer a, Bearer b'],
    ['with two spaces', 'Bearer  a'],
    ['unknown', 'Bearer abc'],
    ['huge', `Bearer ${'a'.repeat(20_000)}`],
  ])('one that is %s is refused, never taken for nobody', async (_what, authorization) => {
    const { who } = await startWho(copy)
    for (const method of [
      who.am,
      (...given: Parameters<typeof who.am>) => first(who.ticks(...given)),
    ])
      await expect(method({}, { metadata: { authorization } })).rejects.toMatchObject({
        code: 'unauthenticated',
        detail: 'the token is not valid',
      })
  })

  test('two of them are refused, though both be valid', async () => {
    const { who, tokenOf } = await startWho(copy)
    const one = `Bearer ${await tokenOf()}`
    const metadata = new Metadata({ authorization: [one, one] })
    await expect(who.am({}, { metadata })).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test('one can be required', async () => {
    const { who, tokenOf } = await startWho(copy, true)
    await expect(who.am({})).rejects.toMatchObject({
      code: 'unauthenticated',
      detail: expect.stringContaining('Bearer <token>'),
    })
    const authorization = `Bearer ${await tokenOf()}`
    expect(await who.am({}, { metadata: { authorization } })).toBe('ada')
  })

  test('nothing else that comes with a call makes an account', async () => {
    const { who } = await startWho(copy)
    const metadata = {
      account: 'ada',
      'x-account': '{"id":"ada"}',
      'micro-account': 'ada',
      'micro.context.account': 'ada',
      'x-forwarded-user': 'ada',
      'proxy-authorization': 'Bearer x',
    }
    expect(await who.am({}, { metadata })).toBe('nobody')
  })

  test('a nested call is not made in the name of the caller', async () => {
    const { who, tokenOf } = await startWho(copy)
    const metadata = { authorization: `Bearer ${await tokenOf()}` }
    expect(await who.am({ deep: true }, { metadata })).toBe('ada, then nobody')
  })

  test('a value of the calling context is none of the handler', async () => {
    const key = createContextKey<string>('mine')
    const network = networkWith(copy)
    const service = quietService(network).handle(Who, {
      am: (_input, context) => String(context.get(key)),
      async *ticks() {},
    })
    await service.start()
    const caller = quietService({
      ...network,
      middleware: {
        client: [
          (call, next) => {
            call.context.set(key, 'leaked')
            return next(call)
          },
        ],
      },
    })
    expect(await caller.client(Who).am({})).toBe('undefined')
  })

  test('a stream ends when its token lapses, and not before', async () => {
    const { who, tokenOf } = await startWho(copy)
    const metadata = { authorization: `Bearer ${await tokenOf(150)}` }
    const stream = who.ticks({}, { metadata })[Symbol.asyncIterator]()
    expect(await stream.next()).toMatchObject({ value: 'ada' })
    await awake(() =>
      expect(stream.next()).rejects.toMatchObject({
        code: 'unauthenticated',
        detail: 'the token has expired',
      }),
    )
  })
})

async function first(stream: AsyncIterable<string>): Promise<string> {
  for await (const one of stream) return one
  return ''
}

test('bearer shows the token of now, and leaves alone what a call shows itself', async () => {
  const { network, tokenOf } = await startWho('reference')
  const bob = await tokenOf(60_000, { ...ada, id: 'bob' })
  const tokens = [await tokenOf(), bob, undefined, bob]
  const who = quietService({
    ...network,
    middleware: { client: [bearer({ token: async () => tokens.shift() })] },
  }).client(Who)
  expect([await who.am({}), await who.am({}), await who.am({})]).toEqual(['ada', 'bob', 'nobody'])
  const authorization = `Bearer ${await tokenOf(60_000, { ...ada, id: 'eve' })}`
  expect(await who.am({}, { metadata: { authorization } })).toBe('eve')
  const failing = quietService({
    ...network,
    middleware: {
      client: [
        bearer({
          token() {
            throw new MicroError('unavailable', 'no token')
          },
        }),
      ],
    },
  }).client(Who)
  await expect(failing.am({})).rejects.toMatchObject({ code: 'unavailable', detail: 'no token' })
})

test('readBearer names no reason, and gives the token as it came', () => {
  expect(readBearer(new Metadata())).toBeUndefined()
  expect(readBearer(new Metadata({ authorization: 'Bearer a.b-c_d~e+f/g==' }))).toBe(
    'a.b-c_d~e+f/g==',
  )
  expect(() => readBearer(new Metadata({ authorization: 'Bearer a"b' }))).toThrow(
    'the token is not valid',
  )
})

describe('memoryAuth', () => {
  test('keeps no token in clear', async () => {
    const backend = new MemoryAuthBackend()
    const kept: string[] = []
    const spied = Object.assign(Object.create(backend), {
      add: (digest: string, ...rest: [never]) => {
        kept.push(digest)
        backend.add(digest, ...rest)
      },
    })
    const auth = memoryAuth({ backend: spied as MemoryAuthBackend })
    const issued = await auth.issue?.(ada)
    expect(kept).toHaveLength(2)
    for (const token of [issued?.accessToken, issued?.refreshToken]) {
      expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/)
      expect(kept.join()).not.toContain(token)
    }
  })

  test('keeps so many tokens, and a refresh that finds no room can be tried again', async () => {
    const auth = memoryAuth({ limits: { tokens: 3 } })
    const issued = await auth.issue?.(ada)
    const refresh = () => auth.refresh?.(issued?.refreshToken ?? '')
    await expect(refresh()).rejects.toMatchObject({ code: 'resource_exhausted' })
    await expect(auth.issue?.(ada)).rejects.toMatchObject({
      code: 'resource_exhausted',
      detail: expect.stringContaining('limits.tokens'),
    })
    expect((await auth.verify(issued?.accessToken ?? '')).account.id).toBe('ada')
    await expect(refresh()).rejects.toMatchObject({ code: 'resource_exhausted' })
  })

  test('a bad default is refused by name', () => {
    expect(() => memoryAuth({ ttl: 0 })).toThrow('ttl:')
    expect(() => memoryAuth({ refreshTtl: Number.NaN })).toThrow('refreshTtl:')
  })
})
