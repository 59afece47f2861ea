import { createPrivateKey, X509Certificate } from 'node:crypto'
import { memoryLogger } from '@micro/core/logger'
import { memoryStore } from '@micro/core/store'
import { createAuthority, x509Identity } from '@micro/plugin-identity-x509'
import { describe, expect, test } from 'vitest'
// What an attacker would write himself.
import { proofOf } from '../src/authority/sealing.ts'
import { makeRequest, makeRoot } from '../src/x509/certificates.ts'
import { exportKey, generateKeys, importKey, sign } from '../src/x509/keys.ts'
import {
  makeFleet,
  peerOf,
  refusalOf,
  secret,
  shownBy,
  through,
  trustDomain,
} from './support/fleet.ts'

describe('enrolment', () => {
  test('gives a certificate for the name and hosts of the token, for its own key', async () => {
    const { authority, identity } = makeFleet({ ttl: 60_000 })
    const token = await authority.mintToken({
      service: 'orders',
      hosts: ['orders.internal', '10.0.0.7'],
    })
    const orders = await identity('orders', { token })
    await orders.connect()
    const certificate = shownBy(orders)
    expect(certificate.subjectAltName).toBe(
      'URI:spiffe://fleet.example/service/orders, DNS:orders.internal, IP Address:10.0.0.7',
    )
    expect(certificate.ca).toBe(false)
    const { ca, key } = orders.tls.current()
    expect(certificate.verify(new X509Certificate(ca ?? '').publicKey)).toBe(true)
    expect(certificate.checkPrivateKey(createPrivateKey(key ?? ''))).toBe(true)
    const left = Date.parse(certificate.validTo) - Date.now()
    expect(left).toBeGreaterThan(50_000)
    expect(left).toBeLessThanOrEqual(60_000)
  })

  test('takes a token once: another service that has stolen it comes too late', async () => {
    const { authority, identity } = makeFleet()
    const token = await authority.mintToken({ service: 'orders' })
    await (await identity('orders', { token })).connect()
    const thief = await identity('orders', { token })
    await expect(thief.connect()).rejects.toThrow(/the authority refuses this/)
  })

  test('of two that use a token at once, one enrols', async () => {
    const { authority, other, identity } = makeFleet()
    const token = await authority.mintToken({ service: 'orders' })
    const both = [
      await identity('orders', { token }),
      await identity('orders', { token, authority: other() }),
    ]
    const outcomes = await Promise.allSettled(both.map((one) => one.connect()))
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  test('whose answer was lost can be made again', async () => {
    const { authority, identity } = makeFleet()
    let lost = 0
    const flaky = through(authority, {
      async enrol(request) {
        const reply = await authority.enrol(request)
        lost += 1
        if (lost === 1) throw new Error('the answer is lost')
        return reply
      },
    })
    const orders = await identity('orders', { authority: flaky })
    await expect(orders.connect()).rejects.toThrow(/none can be had/)
    await orders.connect()
    expect(lost).toBe(2)
  })

  test.each([
    ['another service’s name', (token: string) => token, { service: 'billing' }],
    ['a changed secret', (token: string) => `${token.slice(0, -2)}AA`, {}],
    [
      'an unknown id',
      (token: string) => token.replace(/\.[\w-]{22}\./, '.AAAAAAAAAAAAAAAAAAAAAA.'),
      {},
    ],
    [
      'an id that looks elsewhere in the store',
      (token: string) => token.replace(/\.[\w-]{22}\./, '.../../roots.'),
      {},
    ],
  ])('with %s is refused', async (_what, change, over) => {
    const { authority, identity } = makeFleet()
    const minted = await authority.mintToken({ service: 'orders' })
    const make = async (): Promise<void> => {
      const { service = 'orders' } = over as { service?: string }
      const thief = await identity(service, { token: change(minted) })
      await thief.connect()
    }
    await expect(make()).rejects.toThrow()
    // It is still good for whom it is for.
    await (await identity('orders', { token: minted })).connect()
  })

  test('with a token that has lapsed is refused', async () => {
    const { authority, store, identity } = makeFleet()
    const token = await authority.mintToken({ service: 'orders', ttl: 1_000 })
    const place = `authority/token/${token.split('.')[1]}`
    expect(await store.read(place)).toBeDefined()
    await expect.poll(() => store.read(place), { timeout: 3_000 }).toBeUndefined()
    const orders = await identity('orders', { token })
    await expect(orders.connect()).rejects.toThrow(/refuses/)
  })

  test('of an authority that does not know the token is not believed', async () => {
    const impostor = makeFleet()
    const { identity, authority } = makeFleet()
    const token = await authority.mintToken({ service: 'orders' })
    const known = await impostor.authority.mintToken({ service: 'orders' })
    const orders = await identity('orders', {
      token,
      authority: through(authority, {
        // It signs the request all the same, by a token of its own.
        async enrol({ request }) {
          const [, tokenId = '', itsSecret = ''] = known.split('.')
          return impostor.authority.enrol({
            tokenId,
            request,
            proof: proofOf(itsSecret, 'enrol', request),
          })
        },
      }),
    })
    await expect(orders.connect()).rejects.toThrow(/does not know the bootstrap token/)
  })
})

describe('renewal', () => {
  test('proves the key of the current certificate, and keeps its names', async () => {
    const { identity, authority } = makeFleet({ ttl: 2_000 })
    const token = await authority.mintToken({ service: 'orders', hosts: ['orders.internal'] })
    const orders = await identity('orders', { token })
    await orders.connect()
    const first = orders.tls.current()
    for await (const next of orders.tls.watch()) {
      expect(next.key).not.toBe(first?.key)
      expect(new X509Certificate(next.cert ?? '').subjectAltName).toContain('DNS:orders.internal')
      break
    }
  })

  test.each(['another key', 'no signature', 'another request'])(
    'with %s is refused',
    async (what) => {
      const { identity, authority } = makeFleet()
      const orders = await identity('orders')
      const shop = await identity('shop')
      await Promise.all([orders.connect(), shop.connect()])
      const { cert = '', key = '' } = orders.tls.current()
      const thiefs = await generateKeys()
      const request = await makeRequest('orders', thiefs)
      const wrongKey = await importKey(shop.tls.current().key ?? '')
      const signature = {
        'another key': await sign(wrongKey, `renew\n${request}`),
        'no signature': '',
        'another request': await sign(await importKey(key), 'renew\nsomething else'),
      }[what] as string
      expect(await refusalOf(authority.renew({ certificate: cert, request, signature }))).toBe(
        'unauthenticated',
      )
    },
  )

  test('with a certificate of another authority of the same name is refused', async () => {
    const foreign = makeFleet()
    const stranger = await foreign.identity('orders')
    await stranger.connect()
    const { authority } = makeFleet()
    const { cert = '', key = '' } = stranger.tls.current()
    const request = await makeRequest('orders', await generateKeys())
    const signature = await sign(await importKey(key), `renew\n${request}`)
    expect(await refusalOf(authority.renew({ certificate: cert, request, signature }))).toBe(
      'unauthenticated',
    )
    for (const garbage of ['', 'x', cert.slice(0, 100)]) {
      expect(await refusalOf(authority.renew({ certificate: garbage, request, signature }))).toBe(
        'unauthenticated',
      )
      expect(
        await refusalOf(authority.renew({ certificate: cert, request: garbage, signature })),
      ).toBe('unauthenticated')
    }
  })
})

describe('rotation of the root', () => {
  test('overlaps: all that was issued stays good, and new ones come of the new root', async () => {
    const ttl = 2_000
    const { authority, identity } = makeFleet({ ttl })
    const orders = await identity('orders', { interval: 50 })
    await orders.connect()
    const rootsOf = (): number => orders.tls.current().ca?.match(/BEGIN/g)?.length ?? 0
    expect(rootsOf()).toBe(1)
    const before = orders.tls.current().ca
    await authority.rotate()
    await expect.poll(rootsOf).toBe(2)
    // It does not sign before everyone has heard of it.
    expect(before).toContain(orders.tls.current().ca?.slice(0, 200))
    const issuer = shownBy(orders).issuer
    await expect.poll(() => shownBy(orders).issuer, { timeout: 6_000 }).not.toBe(issuer)
    const late = await identity('shop')
    await late.connect()
    expect(shownBy(late).issuer).toBe(shownBy(orders).issuer)
    expect(rootsOf()).toBe(2)
  })

  test('by two instances at once adds one root', async () => {
    const { authority, other } = makeFleet()
    await Promise.all([authority.rotate(), other().rotate(), other().rotate()])
    const { text } = await authority.trust({})
    expect((JSON.parse(text) as { roots: string[] }).roots).toHaveLength(2)
  })

  test('to roots that ours have not signed is not followed', async () => {
    const { authority, identity } = makeFleet()
    const impostor = makeFleet()
    let lying = false
    const orders = await identity('orders', {
      interval: 50,
      authority: through(authority, {
        trust: () => (lying ? impostor.authority.trust({}) : authority.trust({})),
      }),
    })
    await orders.connect()
    const { ca } = orders.tls.current()
    lying = true
    await expect.poll(() => orders.health().status).toBe('degraded')
    expect(orders.health().detail).toContain('signed by none that we know')
    expect(orders.tls.current().ca).toBe(ca)
    lying = false
    await expect.poll(() => orders.health().status).toBe('up')
  })

  test('of a root of your own is yours', async () => {
    const keys = await generateKeys()
    const root = {
      cert: await makeRoot(trustDomain, keys, 86_400_000),
      key: await exportKey(keys.privateKey),
    }
    const { authority, identity } = makeFleet({ root })
    const orders = await identity('orders')
    await orders.connect()
    expect(orders.tls.current().ca).toBe(root.cert)
    expect(await refusalOf(authority.rotate())).toBe('failed_precondition')
  })
})

describe('a denial', () => {
  test('of a service reaches the others within their interval, and ends its renewals', async () => {
    const { authority, identity } = makeFleet({ ttl: 2_000 })
    const orders = await identity('orders', { interval: 50 })
    const shop = await identity('shop')
    await Promise.all([orders.connect(), shop.connect()])
    expect(orders.accountOf(peerOf(shop))?.account.id).toBe('shop')
    await authority.deny({ service: 'shop' })
    await expect
      .poll(() => refusalOf((async () => orders.accountOf(peerOf(shop)))()))
      .toBe('unauthenticated')
    await expect.poll(() => shop.health().status, { timeout: 5_000 }).not.toBe('up')
    const again = await identity('shop')
    await expect(again.connect()).rejects.toThrow(/refuses/)
    await authority.allow({ service: 'shop' })
    const third = await identity('shop')
    await third.connect()
    await expect
      .poll(() => refusalOf((async () => orders.accountOf(peerOf(third)))()))
      .toBe('not refused')
  })

  test('of one certificate leaves the service’s others alone', async () => {
    const { authority, identity } = makeFleet()
    const orders = await identity('orders', { interval: 50 })
    const [one, two] = [await identity('shop'), await identity('shop')]
    await Promise.all([orders.connect(), one.connect(), two.connect()])
    await authority.deny({ fingerprint: peerOf(one).certificate.fingerprint })
    await expect
      .poll(() => refusalOf((async () => orders.accountOf(peerOf(one)))()))
      .toBe('unauthenticated')
    expect(orders.accountOf(peerOf(two))?.account.id).toBe('shop')
  })

  test('is not taken back by an older answer that is sent again', async () => {
    const { authority, identity } = makeFleet()
    const old = await authority.trust({})
    const answers = through(authority, { trust: () => (replay ? old : authority.trust({})) })
    let replay = false
    let looks = 0
    const orders = await identity('orders', {
      interval: 50,
      authority: {
        ...answers,
        trust(request) {
          looks += 1
          return answers.trust(request)
        },
      },
    })
    const shop = await identity('shop')
    await Promise.all([orders.connect(), shop.connect()])
    await authority.deny({ service: 'shop' })
    const decision = () => refusalOf((async () => orders.accountOf(peerOf(shop)))())
    await expect.poll(decision).toBe('unauthenticated')
    replay = true
    const seen = looks
    await expect.poll(() => looks).toBeGreaterThan(seen + 2)
    expect(await decision()).toBe('unauthenticated')
  })
})

describe('what is kept', () => {
  test('lets a service start again without a token', async () => {
    const { authority, identity } = makeFleet()
    const keep = memoryStore()
    const first = await identity('orders', { keep })
    await first.connect()
    await first.close()
    const second = x509Identity({ service: 'orders', authority, trustDomain, keep })
    await second.connect()
    expect(shownBy(second).subjectAltName).toContain('/service/orders')
    await second.close()
    const stranger = x509Identity({ service: 'shop', authority, trustDomain, keep })
    await expect(stranger.connect()).rejects.toThrow(/no bootstrap token: mint one/)
    await stranger.close()
  })

  test('of the authority is of no use without its secret', async () => {
    const { authority, store, other } = makeFleet()
    await authority.trust({})
    const records: string[] = []
    for await (const { value } of store.list({})) records.push(new TextDecoder().decode(value))
    expect(records.join('')).not.toContain('PRIVATE KEY')
    expect(await refusalOf(other({ secret: 'some other secret of mine' }).trust({}))).toBe(
      'data_loss',
    )
  })

  test('makes two authorities one', async () => {
    const { authority, other, identity } = makeFleet()
    const [one, two] = await Promise.all([authority.trust({}), other().trust({})])
    expect(JSON.parse(one.text).roots).toEqual(JSON.parse(two.text).roots)
    const orders = await identity('orders', { authority: other() })
    await orders.connect()
  })
})

test('all that is issued, refused and denied is logged, and no secret with it', async () => {
  const logger = memoryLogger()
  const { authority, identity } = makeFleet({ logger })
  const token = await authority.mintToken({ service: 'orders' })
  await (await identity('orders', { token })).connect()
  await refusalOf((await identity('orders', { token })).connect())
  await authority.deny({ service: 'shop' })
  await authority.rotate()
  const lines = logger.lines.map(({ message, fields }) => [message, fields['why']])
  expect(lines).toContainEqual(['issued', 'enrolment'])
  expect(lines).toContainEqual(['refused', 'token used before'])
  expect(lines.map(([message]) => message)).toEqual(
    expect.arrayContaining(['minted', 'denied', 'rotated']),
  )
  const text = JSON.stringify(logger.lines)
  expect(text).not.toContain(token.split('.')[2])
  expect(text).not.toContain(secret)
})

test.each([
  [{ trustDomain: 'Not A Domain' }, 'trustDomain'],
  [{ secret: 'short' }, 'secret'],
  [{ ttl: 10 }, 'ttl'],
  [{ rootTtl: 10 }, 'rootTtl'],
  [{ colour: 'red' } as object, 'colour'],
])('options %o are refused, by name', (options, name) => {
  expect(() => createAuthority({ store: memoryStore(), trustDomain, secret, ...options })).toThrow(
    new RegExp(`invalid_argument: createAuthority option ${name}`),
  )
})

test.each([
  [{ service: '../x' }, 'service'],
  [{ service: 'orders', hosts: ['a,b'] }, 'hosts'],
  [{ service: 'orders', ttl: 1 }, 'ttl'],
])('a token for %o is not minted', async (request, name) => {
  await expect(makeFleet().authority.mintToken(request)).rejects.toThrow(
    new RegExp(`invalid_argument: mintToken option ${name}`),
  )
})

test.each([
  [{ token: 'nonsense' }, 'token'],
  [{ interval: 1 }, 'interval'],
  [{ service: 'a b' }, 'service'],
  [{ colour: 'red' } as object, 'colour'],
])('an identity with %o is refused', async (options, name) => {
  await expect(makeFleet().identity('orders', options)).rejects.toThrow(
    new RegExp(`invalid_argument: x509Identity option ${name}`),
  )
})
