import { createConfig } from '@micro/core/config'
import type { EtcdSourceOptions } from '@micro/plugin-config-etcd'
import { type Etcd, etcdBinary, startEtcd } from '@micro/test-services'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { afterwards, open, scale, wait } from './support.ts'

const binary = etcdBinary()
const soon = { timeout: 15_000 }

/** A config that follows etcd, and what it says. */
async function follow(options: EtcdSourceOptions) {
  const config = createConfig({ sources: [open({ timeout: 500, ...options })], coalesce: 1 })
  afterwards(() => config.close())
  await config.connect()
  return { config, a: (): unknown => (config.value as { a?: unknown }).a }
}

describe.skipIf(binary === undefined)('outages of a real etcd', () => {
  let etcd: Etcd
  beforeEach(async () => {
    etcd = await startEtcd(binary ?? '')
  })
  afterEach(() => etcd.stop())

  test('killed and restarted: the last good stays, and what was changed is seen', async () => {
    await etcd.put('/shop/a', '1')
    const { config, a } = await follow({ hosts: etcd.address, prefix: '/shop' })
    await etcd.kill()
    await expect.poll(() => config.health().status, soon).toBe('degraded')
    expect(config.health().detail).toContain(etcd.address)
    await wait(60_000 * scale)
    expect(a()).toBe('1')
    await etcd.restart()
    await etcd.put('/shop/a', '2')
    await etcd.compact()
    await expect.poll(a, soon).toBe('2')
    await expect.poll(() => config.health().status, soon).toBe('up')
    await etcd.put('/shop/a', '3')
    await expect.poll(a, soon).toBe('3')
  })

  test('restarted empty: settings are not turned off, and it is told', async () => {
    await etcd.put('/shop/a', '1')
    const { config, a } = await follow({ hosts: etcd.address, prefix: '/shop' })
    await etcd.restartEmpty()
    await expect.poll(() => config.health().detail, soon).toContain('etcd has lost it')
    expect(a()).toBe('1')
    await etcd.put('/shop/a', '2')
    await expect.poll(a, soon).toBe('2')
    await expect.poll(() => config.health().status, soon).toBe('up')
    // Who asks for it takes it as it is.
    await etcd.restartEmpty()
    await expect.poll(() => config.health().detail, soon).toContain('etcd has lost it')
    await config.reload()
    expect(a()).toBe(undefined)
    await etcd.put('/shop/a', '3')
    await expect.poll(a, soon).toBe('3')
    // What is deleted by somebody is gone.
    await etcd.delete('/shop/a')
    await expect.poll(a, soon).toBe(undefined)
  })

  test('standing still: told, and followed on when it goes on', async () => {
    await etcd.put('/shop.json', '{"a":1}')
    const { config, a } = await follow({
      hosts: etcd.address,
      key: '/shop.json',
      interval: 200,
    })
    etcd.pause()
    await expect.poll(() => config.health().status, soon).toBe('degraded')
    await wait(30_000 * scale)
    etcd.resume()
    await etcd.put('/shop.json', '{"a":2}')
    await expect.poll(a, soon).toBe(2)
    await expect.poll(() => config.health().status, soon).toBe('up')
  })

  test('what is not there yet, or away at the start, is waited for', async () => {
    const source = open({ hosts: etcd.address, key: '/later.json', timeout: 500 })
    await expect(source.load()).rejects.toMatchObject({ code: 'unavailable' })
    await etcd.kill()
    await expect(source.load()).rejects.toMatchObject({ code: 'unavailable' })
    await expect(source.write('a', 1)).rejects.toMatchObject({ code: 'unavailable' })
    const trees = source.watch?.()[Symbol.asyncIterator]()
    await expect(trees?.next()).rejects.toMatchObject({ code: 'unavailable' })
    await etcd.restart()
    await source.write('a', 1)
    const again = source.watch?.()[Symbol.asyncIterator]()
    expect((await again?.next())?.value).toMatchObject({ values: { a: 1 } })
    await again?.return?.()
  })

  test('a user who may read this prefix only; tokens that become void', async () => {
    const password = 'not-to-be-seen'
    await etcd.put('/shop/a', '1')
    await etcd.request('auth/user/add', { name: 'reader', password })
    await etcd.request('auth/role/add', { name: 'reading' })
    const [key, end] = ['/shop/', '/shop0'].map((text) => Buffer.from(text).toString('base64'))
    await etcd.request('auth/role/grant', {
      name: 'reading',
      perm: { permType: 'READ', key, range_end: end },
    })
    await etcd.request('auth/user/grant', { user: 'reader', role: 'reading' })
    await etcd.enableAuth(password)
    const login = { hosts: etcd.address, user: 'reader', password }
    const { a } = await follow({ ...login, prefix: '/shop', interval: 200 })
    await etcd.voidTokens()
    await etcd.put('/shop/a', '2')
    await expect.poll(a, soon).toBe('2')
    const denied = { code: 'permission_denied' }
    await expect(open({ ...login, prefix: '/bank' }).load()).rejects.toMatchObject(denied)
    await expect(open({ ...login, prefix: '/shop' }).write('a', '3')).rejects.toMatchObject(denied)
  })
})
