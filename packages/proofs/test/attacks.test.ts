import { X509Certificate } from 'node:crypto'
import { defineService, unary } from '@micro/core'
import { accountOf } from '@micro/core/auth'
import { Context, rootContext } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { TlsMaterial, TlsSource } from '@micro/core/identity'
import { Metadata } from '@micro/core/metadata'
import type { Connection, Transport } from '@micro/core/transport'
import { generateJwtKey, jwtAuth } from '@micro/plugin-auth-jwt'
import { afterEach, describe, expect, test } from 'vitest'
import {
  makeAuthorityOf,
  makeTrustedFleet,
  type TrustedFleet,
  wires,
} from '../src/trusted-fleet.ts'

const Orders = defineService('orders', {
  list: unary<void, string>({ access: { scopes: ['service:shop'] } }),
  close: unary<void, string>(),
})

const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

const fixed = (material: TlsMaterial): TlsSource => ({ current: () => material, async *watch() {} })

/** A fleet whose `orders` listens over a wire, and how often it handled anything. */
async function openOrders(open: (tls?: TlsSource) => Transport, hosts?: string[]) {
  const fleet: TrustedFleet = makeTrustedFleet()
  opened.push(fleet)
  const identity = await fleet.identity('orders', hosts === undefined ? {} : { hosts })
  const auth = jwtAuth({
    issuer: 'https://proof.example',
    audience: 'fleet',
    keys: [await generateJwtKey()],
  })
  const orders = fleet.make('orders', open(identity.tls), { identity, auth, zeroTrust: true })
  const handled: string[] = []
  orders.handle(Orders, {
    list(_input, context) {
      handled.push('list')
      return accountOf(context)?.id ?? 'nobody'
    },
    close() {
      handled.push('close')
      return 'closed'
    },
  })
  await orders.start()
  const url = orders.nodes[0]?.endpoints[0]?.url as string
  return { fleet, auth, handled, url }
}

/** One call as an attacker makes it: whatever head, over a connection of its own. */
async function attack(
  transport: Transport,
  url: string,
  head: { service?: string; method?: string; metadata?: Metadata } = {},
): Promise<string> {
  let connection: Connection | undefined
  const context = new Context(rootContext, { timeout: 3_000 })
  try {
    connection = transport.dial({ transport: transport.name, url }, { node: 'n' })
    const { body } = await connection.unary(
      {
        service: 'orders',
        method: 'list',
        kind: 'unary',
        idempotency: 'unknown',
        contentType: 'application/json',
        metadata: new Metadata(),
        ...head,
      },
      new Uint8Array(),
      context,
    )
    return `got ${Buffer.from(body).toString()}`
  } catch (error) {
    if (!MicroError.is(error)) throw error
    return `${error.code}: ${error.detail}`
  } finally {
    context.finish()
    await connection?.close()
    await transport.close()
  }
}

describe.each(Object.entries(wires))('over %s', (_name, open) => {
  test('who is meant gets through', async () => {
    const { fleet, url } = await openOrders(open)
    const shop = await fleet.identity('shop')
    await shop.connect()
    expect(await attack(open(shop.tls), url)).toBe('got "shop"')
  })

  test.each([
    ['without a certificate', async () => undefined],
    [
      'with one of another authority',
      async (fleet: TrustedFleet) => {
        const stranger = await fleet.identity('shop', { by: makeAuthorityOf() })
        await stranger.connect()
        const mine = stranger.tls.current()
        const shop = await fleet.identity('shop')
        await shop.connect()
        return fixed({ ...mine, ca: shop.tls.current().ca })
      },
    ],
    [
      'with one that has expired',
      async (fleet: TrustedFleet) => {
        const by = makeAuthorityOf({ store: fleet.store, ttl: 2_000 })
        const shop = await fleet.identity('shop', { by })
        await shop.connect()
        const material = shop.tls.current()
        const lapses = Date.parse(new X509Certificate(material.cert ?? '').validTo)
        await expect.poll(() => Date.now(), { timeout: 5_000 }).toBeGreaterThan(lapses)
        return fixed(material)
      },
    ],
  ])('a client %s is not listened to', async (_what, material) => {
    const { fleet, handled, url } = await openOrders(open)
    const outcome = await attack(open(await material(fleet)), url)
    expect(outcome).toMatch(/^(unavailable|failed_precondition): /)
    expect(handled).toEqual([])
  })

  test('a client that is meant to use TLS speaks to no server in cleartext', async () => {
    const fleet = makeTrustedFleet()
    opened.push(fleet)
    const auth = jwtAuth({ issuer: 'https://proof.example', keys: [await generateJwtKey()] })
    const bare = fleet.make('orders', open(), { auth })
    const handled: string[] = []
    bare.handle(Orders, {
      list: () => handled.push('list').toString(),
      close: () => handled.push('close').toString(),
    })
    await bare.start()
    const shop = await fleet.identity('shop')
    await shop.connect()
    const url = bare.nodes[0]?.endpoints[0]?.url as string
    expect(await attack(open(shop.tls), url)).toMatch(/^(unavailable|failed_precondition): /)
    expect(handled).toEqual([])
  })

  test('a server whose certificate is for another host is not called', async () => {
    const { fleet, handled, url } = await openOrders(open, ['elsewhere.example'])
    const shop = await fleet.identity('shop')
    await shop.connect()
    expect(await attack(open(shop.tls), url)).toMatch(/^unavailable: /)
    expect(handled).toEqual([])
  })

  test('a member of the fleet gets no further than the rules say, and hears no reason', async () => {
    const { fleet, handled, url } = await openOrders(open)
    const mail = await fleet.identity('mail')
    await mail.connect()
    expect(await attack(open(mail.tls), url)).toBe('permission_denied: this is not allowed')
    expect(await attack(open(mail.tls), url, { method: 'close' })).toBe(
      'permission_denied: this is not allowed',
    )
    expect(handled).toEqual([])
  })

  test.each([
    ['account', 'shop'],
    ['x-account-id', 'shop'],
    ['micro-account', '{"id":"shop","scopes":["service:shop"]}'],
    ['x-forwarded-client-cert', 'URI=spiffe://proof.example/service/shop'],
    ['x-ssl-client-cert', 'spiffe://proof.example/service/shop'],
    ['x-scopes', 'service:shop'],
  ])('metadata "%s" makes nobody somebody', async (name, value) => {
    const { fleet, handled, url } = await openOrders(open)
    const mail = await fleet.identity('mail')
    await mail.connect()
    const metadata = new Metadata({ [name]: value })
    expect(await attack(open(mail.tls), url, { metadata })).toMatch(/^permission_denied: /)
    expect(handled).toEqual([])
  })

  test('a second token beside a good one spoils it', async () => {
    const { fleet, auth, handled, url } = await openOrders(open)
    const shop = await fleet.identity('shop')
    await shop.connect()
    const subject = { id: 'ada', type: 'user', scopes: ['service:shop'], metadata: {} }
    const token = (await auth.issue?.(subject))?.accessToken
    const metadata = new Metadata([
      ['authorization', `Bearer ${token}`],
      ['authorization', 'Bearer another'],
    ])
    // Over HTTP/2 they cannot even be sent.
    const outcome = await attack(open(shop.tls), url, { metadata })
    expect(outcome).toMatch(/^(unauthenticated|invalid_argument): /)
    expect(handled).toEqual([])
    const alone = new Metadata({ authorization: `Bearer ${token}` })
    expect(await attack(open(shop.tls), url, { metadata: alone })).toBe('got "ada"')
  })

  test.each([
    ['Orders', 'list'],
    ['ORDERS', 'list'],
    ['orders', 'List'],
    ['orders', 'list/'],
    ['orders', 'list%2f'],
    ['orders', 'lis%74'],
    ['orders', './list'],
    ['orders', 'x/../close'],
    ['orders/x/..', 'close'],
    ['orders', 'close;list'],
    ['orders', 'close?list'],
    ['orders', 'close#list'],
    ['orders', '__proto__'],
    ['constructor', 'list'],
    ['', 'close'],
  ])('the name "%s/%s" is no way around', async (service, method) => {
    const { fleet, handled, url } = await openOrders(open)
    const mail = await fleet.identity('mail')
    await mail.connect()
    expect(await attack(open(mail.tls), url, { service, method })).not.toMatch(/^got/)
    expect(handled).toEqual([])
  })

  test('a peer that the operator has denied is refused from then on, with a token or without', async () => {
    const { fleet, auth, handled, url } = await openOrders(open)
    const shop = await fleet.identity('shop')
    await shop.connect()
    await fleet.authority.deny({ service: 'shop' })
    const subject = { id: 'ada', type: 'user', scopes: ['service:shop'], metadata: {} }
    const token = (await auth.issue?.(subject))?.accessToken
    await expect.poll(() => attack(open(shop.tls), url)).toMatch(/^unauthenticated: /)
    const before = handled.length
    const metadata = new Metadata({ authorization: `Bearer ${token}` })
    expect(await attack(open(shop.tls), url, { metadata })).toMatch(/^unauthenticated: /)
    expect(handled).toHaveLength(before)
  })
})
