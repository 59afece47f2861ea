import { memoryLogger } from '@micro/core/logger'
import { describe, expect, test } from 'vitest'
import { startAnswering } from './support/answers.ts'
import { expectRefused, idOf, usePerTest } from './support/opened.ts'
import { newKey, startProvider } from './support/provider.ts'
import { audience, sign } from './support/sign.ts'

const { open, start } = usePerTest()
const account = 'ada'
const resource = audience
const portOf = (issuer: string): number => Number(new URL(issuer).port)
const document = '/.well-known/openid-configuration'

describe('asking', () => {
  test('begins with the first token, once for all that come at once', async () => {
    const provider = await start(startProvider({ keys: [await newKey()] }))
    const auth = open(provider.issuer)
    await auth.connect()
    await expectRefused(auth.verify('x'))
    await expectRefused(auth.verify(await sign('https://other.example', await newKey())))
    expect(provider.requests).toEqual([])
    const tokens = await Promise.all(
      Array.from({ length: 50 }, () => provider.token({ account, resource })),
    )
    provider.requests.length = 0
    expect(await Promise.all(tokens.map((token) => idOf(auth, token)))).toEqual(
      tokens.map(() => 'ada'),
    )
    expect(provider.requests).toEqual([document, '/jwks'])
  })

  test('goes on by itself', async () => {
    const provider = await start(startProvider({ keys: [await newKey()] }))
    const auth = open(provider.issuer, { keyInterval: 10 })
    await auth.verify(await provider.token({ account, resource }))
    const asked = () => provider.requests.filter((path) => path === document).length
    await expect.poll(asked).toBeGreaterThan(3)
    await auth.close()
    // Nothing can be awaited that must not come: ten times the interval. The last request may still be on
    // its way when it is given up.
    await new Promise((resolve) => setTimeout(resolve, 100))
    const after = asked()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(asked()).toBe(after)
  })

  test('is not brought about by everyone who makes a name up', async () => {
    const provider = await start(startProvider({ keys: [await newKey()] }))
    const auth = open(provider.issuer)
    await auth.verify(await provider.token({ account, resource }))
    provider.requests.length = 0
    for (let at = 0; at < 50; at++) {
      await expectRefused(auth.verify(await sign(provider.issuer, await newKey())))
    }
    expect(provider.requests).toEqual([])
  })

  test('for a name that is not known happens once, however many show it', async () => {
    const provider = await start(startProvider({ keys: [await newKey()] }))
    const auth = open(provider.issuer, { keyCooldown: 1 })
    await auth.verify(await provider.token({ account, resource }))
    const forged = await Promise.all(
      Array.from({ length: 20 }, async () => sign(provider.issuer, await newKey())),
    )
    provider.requests.length = 0
    await Promise.all(forged.map((token) => expectRefused(auth.verify(token))))
    expect(provider.requests).toEqual([document, '/jwks'])
  })

  test('is over once a token is known: that costs no request, and not even a new object', async () => {
    const provider = await start(startProvider({ keys: [await newKey()] }))
    const auth = open(provider.issuer)
    const token = await provider.token({ account, resource })
    const first = await auth.verify(token)
    await provider.stop()
    expect(await auth.verify(token)).toBe(first)
    expect(Object.isFrozen(first.account.scopes) && Object.isFrozen(first.account)).toBe(true)
  })

  test('is needed again for tokens beyond the limit, the oldest first', async () => {
    const provider = await start(startProvider({ keys: [await newKey()] }))
    const one = await provider.token({ account, resource })
    const two = await provider.token({ account, resource })
    const auth = open(provider.issuer, { cache: 1 })
    const first = await auth.verify(one)
    const second = await auth.verify(two)
    expect(await auth.verify(two)).toBe(second)
    expect(await auth.verify(one)).not.toBe(first)
    const forgetful = open(provider.issuer, { cache: 0 })
    expect(await forgetful.verify(one)).not.toBe(await forgetful.verify(one))
  })
})

describe('rotation', () => {
  test('with overlap: old and new tokens are good, until the old key is gone', async () => {
    const [old, fresh] = [await newKey(), await newKey('EdDSA')]
    const before = await startProvider({ keys: [old] })
    const auth = open(before.issuer, { keyCooldown: 1, keyInterval: 20 })
    const kept = await before.token({ account, resource })
    await auth.verify(kept)
    await before.stop()
    const port = portOf(before.issuer)
    const during = await startProvider({ keys: [fresh, old], port })
    expect(await idOf(auth, await during.token({ account, resource }))).toBe('ada')
    expect(await idOf(auth, kept)).toBe('ada')
    await during.stop()
    await start(startProvider({ keys: [fresh], port }))
    // It had been verified before, and is remembered.
    await expect.poll(() => auth.verify(kept).catch(() => 'refused')).toBe('refused')
  })

  test('a provider that comes back with other keys is believed at once, in the new ones', async () => {
    const before = await startProvider({ keys: [await newKey()] })
    const auth = open(before.issuer, { keyCooldown: 1 })
    const old = await before.token({ account, resource })
    await auth.verify(old)
    await before.stop()
    const keys = [await newKey()]
    const after = await start(startProvider({ keys, port: portOf(before.issuer) }))
    expect(await idOf(auth, await after.token({ account, resource }))).toBe('ada')
    await expectRefused(auth.verify(old))
  })

  test('another key under the same name is found too', async () => {
    const before = await startProvider({ keys: [await newKey('ES256', 'sig')] })
    const auth = open(before.issuer, { keyCooldown: 1 })
    await auth.verify(await before.token({ account, resource }))
    await before.stop()
    const keys = [await newKey('ES256', 'sig')]
    const after = await start(startProvider({ keys, port: portOf(before.issuer) }))
    expect(await idOf(auth, await after.token({ account, resource }))).toBe('ada')
  })

  test('two instances that see it at once refuse nothing that is good', async () => {
    let keys = [await newKey()]
    let provider = await startProvider({ keys })
    const port = portOf(provider.issuer)
    const pair = [1, 2].map(() => open(provider.issuer, { keyCooldown: 1, cache: 0 }))
    for (let round = 0; round < 5; round++) {
      const old = await provider.token({ account, resource })
      for (const auth of pair) await auth.verify(old)
      await provider.stop()
      keys = [await newKey(), ...keys]
      provider = await startProvider({ keys, port })
      const fresh = await provider.token({ account, resource })
      const work = pair.flatMap((auth) =>
        Array.from({ length: 10 }, (_, at) => idOf(auth, at % 2 === 0 ? fresh : old)),
      )
      expect(new Set(await Promise.all(work))).toEqual(new Set(['ada']))
    }
    await provider.stop()
  })
})

describe('a provider that is away', () => {
  test('leaves the last known keys good, and health says so until it is back', async () => {
    const keys = [await newKey()]
    const provider = await startProvider({ keys })
    const logger = memoryLogger()
    const auth = open(provider.issuer, { keyInterval: 20, cache: 0, logger })
    const token = await provider.token({ account, resource })
    expect(auth.health()).toEqual({ status: 'up' })
    await auth.verify(token)
    await provider.stop()
    await expect.poll(() => auth.health().status).toBe('degraded')
    expect(auth.health().detail).toContain(`${provider.issuer}${document}: ECONNREFUSED`)
    expect(await idOf(auth, token)).toBe('ada')
    expect(logger.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', message: 'the provider cannot be read' }),
    )
    await start(startProvider({ keys, port: portOf(provider.issuer) }))
    await expect.poll(() => auth.health().status, { timeout: 10_000 }).toBe('up')
    expect(await idOf(auth, token)).toBe('ada')
  })

  test('for too long is unavailable, also for tokens that are remembered, until it is back', async () => {
    const keys = [await newKey()]
    const provider = await startProvider({ keys })
    const auth = open(provider.issuer, { keyInterval: 20, keyMaxAge: 300 })
    const token = await provider.token({ account, resource })
    await auth.verify(token)
    await provider.stop()
    await expect.poll(() => auth.verify(token).then(() => '', String)).toContain('keyMaxAge')
    await expect(auth.verify(token)).rejects.toMatchObject({ code: 'unavailable' })
    expect(auth.health().status).toBe('down')
    await start(startProvider({ keys, port: portOf(provider.issuer) }))
    await expect
      .poll(() => idOf(auth, token).catch(() => 'not yet'), { timeout: 10_000 })
      .toBe('ada')
  })

  test('from the start is unavailable, and found when it is there', async () => {
    const keys = [await newKey()]
    const provider = await startProvider({ keys })
    await provider.stop()
    const token = await sign(provider.issuer, keys[0] ?? (await newKey()))
    const auth = open(provider.issuer)
    await expect(auth.verify(token)).rejects.toMatchObject({
      code: 'unavailable',
      detail: expect.stringMatching(/^issuer .*: no keys can be had: .*ECONNREFUSED/),
      retryAfter: expect.any(Number),
    })
    expect(auth.health()).toMatchObject({ status: 'down' })
    // What can be told without keys still is.
    await expectRefused(auth.verify('x'))
    await expectRefused(auth.verify(await sign('https://other.example', await newKey())))
    await start(startProvider({ keys, port: portOf(provider.issuer) }))
    await expect
      .poll(() => idOf(auth, token).catch(() => 'not yet'), { timeout: 10_000 })
      .toBe('ada')
    expect(auth.health()).toEqual({ status: 'up' })
  })

  test('does not make a token good or bad that names a key which is not known', async () => {
    const provider = await startProvider({ keys: [await newKey()] })
    const auth = open(provider.issuer, { keyCooldown: 1 })
    await auth.verify(await provider.token({ account, resource }))
    await provider.stop()
    await expectRefused(auth.verify(await sign(provider.issuer, await newKey())))
  })

  test('is not a reason to fail for a caller who has gone, nor for those who stay', async () => {
    const key = await newKey()
    const there = await start(startAnswering([key]))
    const good = there.answers.document
    let release: () => void = () => undefined
    const asked = new Promise<void>((resolve) => {
      there.answers.document = (_request: unknown, response: { end(text: string): void }) => {
        release = () => response.end(JSON.stringify(good))
        resolve()
      }
    })
    const auth = open(there.issuer)
    const token = await sign(there.issuer, key)
    const gone = new AbortController()
    const reason = new Error('mine')
    const outcomes = [auth.verify(token, { signal: gone.signal }), idOf(auth, token)]
    await asked
    gone.abort(reason)
    await expect(outcomes[0]).rejects.toBe(reason)
    release()
    expect(await outcomes[1]).toBe('ada')
  })

  test('is given up by close', async () => {
    const there = await start(startAnswering())
    const aborted = new Promise<void>((resolve) => {
      there.answers.document = (request: { on(name: string, then: () => void): void }) => {
        request.on('close', resolve)
        void auth.close()
      }
    })
    const auth = open(there.issuer)
    await expect(auth.verify(await sign(there.issuer, await newKey()))).rejects.toMatchObject({
      code: 'failed_precondition',
    })
    await aborted
    expect(auth.health()).toEqual({ status: 'down' })
  })
})
