import type { StandardSchema } from '@micro/core/schema'
import type { EtcdSourceOptions } from '@micro/plugin-config-etcd'
import { type Etcd, etcdBinary, startEtcd } from '@micro/test-services'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { open } from './support.ts'

const binary = etcdBinary()

describe.skipIf(binary === undefined)('what a real etcd says', () => {
  let etcd: Etcd
  let places = 0
  beforeAll(async () => {
    etcd = await startEtcd(binary ?? '')
  })
  afterAll(() => etcd.stop())
  const source = (options: EtcdSourceOptions) => open({ hosts: etcd.address, ...options })
  const newPrefix = (): string => `/config/${places++}`

  test('keys are levels, each value tells its key, and what only begins alike is another’s', async () => {
    const prefix = newPrefix()
    await etcd.put(`${prefix}/db/host`, 'a')
    await etcd.put(`${prefix}/db/port`, '5432')
    await etcd.put(`${prefix}more/db`, 'x')
    await etcd.put(prefix, 'x')
    expect(await source({ prefix }).load()).toEqual({
      values: { db: { host: 'a', port: '5432' } },
      origins: {
        '': `${prefix}/`,
        'db.host': `${prefix}/db/host`,
        'db.port': `${prefix}/db/port`,
      },
    })
  })

  test('texts get the types of the schema', async () => {
    const prefix = newPrefix()
    await etcd.put(`${prefix}/port`, '5432')
    await etcd.put(`${prefix}/tags`, 'a, b')
    const json = {
      type: 'object',
      properties: { port: { type: 'number' }, tags: { type: 'array', items: { type: 'string' } } },
    }
    const schema = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) => ({ value }),
        jsonSchema: { input: () => json, output: () => json },
      },
    } as StandardSchema
    expect((await source({ prefix, schema }).load()).values).toEqual({
      port: 5432,
      tags: ['a', 'b'],
    })
  })

  test('a document tells the line of each value', async () => {
    const key = `${newPrefix()}.yaml`
    await etcd.put(key, '# of the shop\ndb:\n  host: a\n')
    expect(await source({ key }).load()).toEqual({
      values: { db: { host: 'a' } },
      origins: { '': key, db: `${key}:2`, 'db.host': `${key}:3` },
    })
  })

  test('what cannot be read is refused with its place, never its text', async () => {
    const prefix = newPrefix()
    const codeAndDetail = async (options: EtcdSourceOptions) => {
      const reader = source(options)
      const error = (await reader.load().catch((reason: unknown) => reason)) as {
        code: string
        detail: string
      }
      expect(`${error.code} ${error.detail}`).not.toContain('hunter2')
      expect(reader.health()).toEqual({ status: 'degraded', detail: error.detail })
      return `${error.code} ${error.detail}`
    }
    await etcd.put(`${prefix}/json/password`, 'hunter2')
    expect(await codeAndDetail({ prefix: `${prefix}/json`, values: 'json' })).toContain(
      `invalid_argument ${prefix}/json/password is no valid JSON`,
    )
    await etcd.put(`${prefix}.json`, '{\n"password": "hunter2" "a"}')
    expect(await codeAndDetail({ key: `${prefix}.json` })).toContain(
      `invalid_argument ${prefix}.json:2`,
    )
    await etcd.put(`${prefix}/both/db`, 'hunter2')
    await etcd.put(`${prefix}/both/db/host`, 'a')
    expect(await codeAndDetail({ prefix: `${prefix}/both` })).toContain(
      `invalid_argument ${prefix}/both/db/host: another one says db already`,
    )
    await etcd.put(`${prefix}/empty/a//b`, 'hunter2')
    expect(await codeAndDetail({ prefix: `${prefix}/empty` })).toContain(
      `${prefix}/empty/a//b: there is nothing`,
    )
    for (const n of [1, 2, 3]) await etcd.put(`${prefix}/many/${n}`, 'hunter2')
    expect(await codeAndDetail({ prefix: `${prefix}/many`, maxKeys: 2 })).toContain(
      'has 3 keys: give a longer prefix, or raise option maxKeys',
    )
    expect(await codeAndDetail({ key: `${prefix}/none` })).toContain(
      `unavailable ${prefix}/none is not there`,
    )
  })

  test('a document that is torn is told of in a watch, and the watch goes on', async () => {
    const key = `${newPrefix()}.yaml`
    await etcd.put(key, 'a: 1')
    const reader = source({ key })
    const trees = reader.watch?.()[Symbol.asyncIterator]()
    expect((await trees?.next())?.value).toMatchObject({ values: { a: 1 } })
    await etcd.put(key, 'a: [hunter2')
    const torn = (await trees?.next())?.value
    expect(torn).toMatchObject({ error: { code: 'invalid_argument' } })
    expect(String(torn?.error)).not.toContain('hunter2')
    expect(reader.health().status).toBe('degraded')
    await etcd.delete(key)
    expect((await trees?.next())?.value).toMatchObject({ error: { code: 'unavailable' } })
    await etcd.put(key, 'a: 2')
    expect((await trees?.next())?.value).toMatchObject({ values: { a: 2 } })
    expect(reader.health()).toEqual({ status: 'up' })
    await trees?.return?.()
  })

  test('a look at all, where nothing has changed, tells nothing', async () => {
    const prefix = newPrefix()
    await etcd.put(`${prefix}/a`, '1')
    const trees = source({ prefix, interval: 100 }).watch?.()[Symbol.asyncIterator]()
    await trees?.next()
    const looks = async () => (await etcd.requests()).get('Watch') ?? 0
    const before = await looks()
    const next = trees?.next()
    await expect.poll(looks, { timeout: 5_000 }).toBeGreaterThan(before + 3)
    await etcd.put(`${prefix}/a`, '2')
    expect((await next)?.value).toMatchObject({ values: { a: '2' } })
    await trees?.return?.()
  })
})
