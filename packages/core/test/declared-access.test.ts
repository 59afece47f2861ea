import {
  createService,
  defineService,
  defineUncheckedTopic,
  memoryNetwork,
  unary,
} from '@micro/core'
import { authorize, storeAccess } from '@micro/core/access'
import {
  type Auth,
  accountOf,
  authenticate,
  memoryAuth,
  type Subject,
  type Tokens,
  type Verified,
} from '@micro/core/auth'
import { MicroError } from '@micro/core/errors'
import { memoryLogger } from '@micro/core/logger'
import { memoryStore } from '@micro/core/store'
import { describeCertificate, type Peer, type Transport } from '@micro/core/transport'
import { describe, expect, test } from 'vitest'
import { callOf } from './support/calls.ts'
import { identityOf } from './support/identities.ts'
import { quietService } from './support/services.ts'

const Orders = defineService('orders', {
  list: unary<void, string>({ access: { scopes: ['orders:read', 'admin'] } }),
  ping: unary<void, string>({ access: { scopes: [''] } }),
  me: unary<void, string>({ access: { scopes: ['*'] } }),
  other: unary<void, string>(),
})

function issue(auth: Auth, subject: Subject): Promise<Tokens> {
  if (auth.issue === undefined) throw new Error('it issues nothing')
  return auth.issue(subject)
}

async function serve(options: Partial<Parameters<typeof createService>[0]> = {}) {
  const auth = memoryAuth()
  const network = memoryNetwork()
  const service = quietService({ name: 'orders', network, auth, ...options })
  const answer = (): string => 'yes'
  service.handle(Orders, { list: answer, ping: answer, me: answer, other: answer })
  await service.start()
  const client = quietService({ name: 'client', network }).client(Orders)
  const as = async (...scopes: string[]) => {
    const subject = { id: 'ada', type: 'user', scopes, metadata: {} }
    const { accessToken } = await issue(auth, subject)
    return { metadata: { authorization: `Bearer ${accessToken}` } }
  }
  return { service, client, as }
}

describe('access declared by a definition', () => {
  test('lets in who has one of the scopes, any account for "*", and everyone for ""', async () => {
    const { client, as } = await serve()
    expect(await client.list(undefined, await as('orders:read'))).toBe('yes')
    expect(await client.list(undefined, await as('x', 'admin'))).toBe('yes')
    await expect(client.list(undefined, await as('orders:write'))).rejects.toMatchObject({
      code: 'permission_denied',
      detail: 'this is not allowed',
    })
    await expect(client.list()).rejects.toMatchObject({ code: 'unauthenticated' })
    expect(await client.me(undefined, await as())).toBe('yes')
    await expect(client.me()).rejects.toMatchObject({ code: 'unauthenticated' })
    expect(await client.ping()).toBe('yes')
    // Nothing is said of this one.
    expect(await client.other()).toBe('yes')
  })

  test('gives way to rules, either way', async () => {
    const access = storeAccess({ store: memoryStore() })
    const { client, as } = await serve({ access })
    const resource = { type: 'service', name: 'orders', endpoint: 'list' }
    await access.grant({ id: 'deny', access: 'deny', scope: 'admin', resource })
    await access.grant({ id: 'allow', access: 'allow', scope: 'guest', resource })
    await expect(client.list(undefined, await as('admin'))).rejects.toMatchObject({
      code: 'permission_denied',
    })
    expect(await client.list(undefined, await as('guest'))).toBe('yes')
    // No rule applies: what is declared holds.
    expect(await client.list(undefined, await as('orders:read'))).toBe('yes')
    await expect(client.list(undefined, await as('stranger'))).rejects.toMatchObject({
      code: 'permission_denied',
    })
    // There are rules, and nothing is declared.
    await expect(client.other(undefined, await as('admin'))).rejects.toMatchObject({
      code: 'permission_denied',
    })
  })

  test('is in the record of the registry', async () => {
    const { service } = await serve()
    const methods = service.nodes[0]?.methods
    expect(methods?.find(({ name }) => name === 'list')?.access).toEqual({
      scopes: ['orders:read', 'admin'],
    })
    expect(methods?.find(({ name }) => name === 'other')).not.toHaveProperty('access')
  })

  test('is refused of a service that knows no accounts', () => {
    const service = quietService({ name: 'careless' })
    const answer = (): string => 'yes'
    expect(() =>
      service.handle(Orders, { list: answer, ping: answer, me: answer, other: answer }),
    ).toThrow(/failed_precondition: orders\/list declares access, and service "careless"/)
    const Open = defineService('open', { ping: unary<void, string>({ access: { scopes: [''] } }) })
    service.handle(Open, { ping: answer })
  })

  test.each([[[]], [['a b']], [[7]], ['admin']])('scopes %o are refused', (scopes) => {
    expect(() => unary<void, void>({ access: { scopes: scopes as string[] } })).toThrow(
      /invalid_argument: access.scopes of a method/,
    )
  })
})

describe('peers', () => {
  const certificate = { uris: ['spiffe://x/shop'], dnsNames: [], fingerprint: '', expiresAt: 0 }
  const shop: Peer = { transport: 'tcp', address: '10.0.0.1:1', certificate }

  test('are accounts where no token is shown', async () => {
    const seen: unknown[] = []
    const known: Verified = {
      account: { id: 'shop', type: 'service', issuer: 'x', scopes: ['service:shop'], metadata: {} },
      expiresAt: undefined,
    }
    const auth = memoryAuth()
    const guard = authenticate({
      auth,
      peers: (peer) => (peer === shop ? known : undefined),
      required: true,
    })
    const { accessToken } = await issue(auth, {
      id: 'ada',
      type: 'user',
      scopes: [],
      metadata: {},
    })
    const look = (call: Parameters<typeof guard>[0]) => {
      seen.push(accountOf(call.context)?.id)
      return undefined
    }
    await guard(callOf({ peer: shop }), look)
    await guard(callOf({ peer: shop, token: accessToken }), look)
    expect(seen).toEqual(['shop', 'ada'])
    const denying = authenticate({
      auth,
      peers: () => {
        throw new MicroError('unauthenticated', 'denied')
      },
    })
    expect(() => denying(callOf({ peer: shop, token: accessToken }), look)).toThrow(/denied/)
    const nobody: Peer = { transport: 'tcp', address: '10.0.0.2:1' }
    expect(() => guard(callOf({ peer: nobody }), look)).toThrow(/unauthenticated/)
  })

  test('a token that nobody can verify is refused', async () => {
    const guard = authenticate({ peers: () => undefined })
    expect(() => guard(callOf({ token: 'x' }), () => undefined)).toThrow(/unauthenticated/)
  })
})

describe('zero trust', () => {
  const network = memoryNetwork()
  const remote = (secured: boolean): Transport => ({
    name: 'wire',
    contract: 'transport/0',
    secured,
    connect: async () => undefined,
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
    health: () => ({ status: 'up' }),
    listen: async () => ({
      url: 'wire:',
      drain: async () => undefined,
      close: async () => undefined,
    }),
    dial: () => {
      throw new Error('not dialled')
    },
  })

  test('needs an identity that knows peers, and TLS in every transport', () => {
    const base = { name: 'orders', network, logger: memoryLogger(), zeroTrust: true }
    expect(() => createService(base)).toThrow(/failed_precondition: zeroTrust needs an identity/)
    const identity = identityOf('orders')
    expect(() =>
      createService({ ...base, identity, transports: [remote(true), remote(false)] }),
    ).toThrow(/failed_precondition: zeroTrust: transport "wire" has no TLS/)
    createService({ ...base, identity, transports: [remote(true)] })
  })

  test('denies what nobody allows', async () => {
    const identity = identityOf('orders')
    const { client } = await serve({ zeroTrust: true, identity })
    // The account is the process's own: an account at least.
    expect(await client.me()).toBe('yes')
    await expect(client.other()).rejects.toMatchObject({ code: 'permission_denied' })
    await expect(client.list()).rejects.toMatchObject({ code: 'permission_denied' })
  })

  test('refuses nobody', async () => {
    const identity = identityOf('orders', () => undefined)
    const { client } = await serve({ zeroTrust: true, identity })
    await expect(client.me()).rejects.toMatchObject({ code: 'unauthenticated' })
    await expect(client.ping()).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test('holds for messages, too', async () => {
    const identity = identityOf('orders')
    const { service } = await serve({ zeroTrust: true, identity })
    await expect(service.publish(defineUncheckedTopic<number>('t'), 1)).rejects.toMatchObject({
      code: 'permission_denied',
    })
  })
})

test('decisions by a definition are audited as such', async () => {
  const logger = memoryLogger()
  const guard = authorize({ audit: logger })
  expect(() => guard(callOf({ access: { scopes: ['a'] } }), () => undefined)).toThrow()
  await guard(callOf({ access: { scopes: [''] } }), () => undefined)
  expect(logger.lines.map(({ message, fields }) => [message, fields['access.reason']])).toEqual([
    ['denied', 'declared'],
    ['allowed', 'declared'],
  ])
})

describe('names of a certificate', () => {
  const base = { fingerprint256: 'AB:CD', validTo: 'Nov 23 20:37:02 2026 GMT' }

  test('are told by kind', () => {
    const subjectAltName = 'URI:spiffe://x/a, DNS:a.x, IP Address:127.0.0.1, DNS:b.x'
    expect(describeCertificate({ ...base, subjectAltName })).toEqual({
      uris: ['spiffe://x/a'],
      dnsNames: ['a.x', 'b.x'],
      fingerprint: 'abcd',
      expiresAt: Date.UTC(2026, 10, 23, 20, 37, 2),
    })
    expect(describeCertificate({ ...base, subjectAltName: undefined }).uris).toEqual([])
  })

  test('that would be read as two are none', () => {
    const subjectAltName =
      'DNS:"evil.x, URI:spiffe://x/admin", URI:spiffe://x/a, URI:"a\\", URI:spiffe://x/b"'
    expect(describeCertificate({ ...base, subjectAltName })).toMatchObject({
      uris: ['spiffe://x/a'],
      dnsNames: [],
    })
  })
})
