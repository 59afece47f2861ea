import type { EtcdSourceOptions } from '@micro/plugin-config-etcd'
import { type Etcd, etcdBinary, startEtcd } from '@micro/test-services'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { open } from './support.ts'

const binary = etcdBinary()

describe.skipIf(binary === undefined)('writing back to a real etcd', () => {
  let etcd: Etcd
  let places = 0
  beforeAll(async () => {
    etcd = await startEtcd(binary ?? '')
  })
  afterAll(() => etcd.stop())
  const source = (options: EtcdSourceOptions) => open({ hosts: etcd.address, ...options })
  const newPrefix = (): string => `/write/${places++}`
  const keysOf = async (prefix: string) =>
    Object.fromEntries(
      (await etcd.list(prefix)).map(({ key, value }) => [key.slice(prefix.length), value]),
    )

  test('a value, a tree in place of another, and a removal', async () => {
    const prefix = newPrefix()
    const config = source({ prefix })
    await config.write('db', { host: 'a', port: 5432, tls: { on: true } })
    await config.write('motto', 'a/b')
    expect(await keysOf(`${prefix}/`)).toEqual({
      'db/host': 'a',
      'db/port': '5432',
      'db/tls/on': 'true',
      motto: 'a/b',
    })
    await config.write('db.tls', undefined)
    await config.write('db.host', 'b')
    expect(await keysOf(`${prefix}/db/`)).toEqual({ host: 'b', port: '5432' })
    // A value where a tree was, and a tree where a value was.
    await config.write('db', 'none')
    await config.write('motto.text', 'a')
    expect(await keysOf(`${prefix}/`)).toEqual({ db: 'none', 'motto/text': 'a' })
    await config.write('', { a: '1' })
    expect((await config.load()).values).toEqual({ a: '1' })
    await config.write('', undefined)
    expect((await config.load()).values).toEqual({})
  })

  test('what is there already is not written again', async () => {
    const prefix = newPrefix()
    const config = source({ prefix })
    await config.write('', { a: '1', b: '1' })
    const before = await etcd.list(prefix)
    await config.write('', { a: '1', b: '2' })
    const after = await etcd.list(prefix)
    expect(after[0]).toEqual(before[0])
    expect(after[1]?.revision).not.toBe(before[1]?.revision)
  })

  test('a document keeps what is not written, and its key goes with all of it', async () => {
    const key = `${newPrefix()}.yaml`
    const config = source({ key, optional: true })
    await config.write('db.host', 'a')
    await etcd.put(key, 'db:\n  host: a\n  port: 1\nlist: [1, 2]\n')
    await config.write('db.port', 2)
    await config.write('flags', { beta: true })
    expect((await config.load()).values).toEqual({
      db: { host: 'a', port: 2 },
      list: [1, 2],
      flags: { beta: true },
    })
    await config.write('db', undefined)
    expect((await config.load()).values).toEqual({ list: [1, 2], flags: { beta: true } })
    await config.write('', undefined)
    expect(await etcd.list(key)).toEqual([])
  })

  test('of many who write at once none undoes another, and all is from one of them', async () => {
    const prefix = newPrefix()
    const key = `${prefix}.json`
    const each = Array.from({ length: 5 }, (_, n) => n)
    const persistent = async (work: () => Promise<void>): Promise<void> => {
      for (;;) {
        try {
          return await work()
        } catch (error) {
          expect(error).toMatchObject({ code: 'aborted' })
        }
      }
    }
    await Promise.all(
      each.flatMap((n) => {
        const document = source({ key, optional: true })
        const keys = source({ prefix, values: 'json' })
        return [
          persistent(() => document.write(`n${n}`, n)),
          persistent(() => keys.write('', { [`n${n}`]: n, of: { [`n${n}`]: n } })),
        ]
      }),
    )
    expect((await source({ key }).load()).values).toEqual(
      Object.fromEntries(each.map((n) => [`n${n}`, n])),
    )
    const { values } = await source({ prefix, values: 'json' }).load()
    const [own] = Object.keys(values).filter((name) => name !== 'of')
    expect(Object.keys(values)).toHaveLength(2)
    expect(Object.keys(values['of'] as object)).toEqual([own])
  })

  test('one change is one event: a reader sees all of it or nothing', async () => {
    const prefix = newPrefix()
    const config = source({ prefix })
    await config.write('', { a: '0', b: '0' })
    const trees = source({ prefix }).watch?.()[Symbol.asyncIterator]()
    const written = (async () => {
      for (let n = 1; n <= 30; n++) await config.write('', { a: String(n), b: String(n) })
    })()
    for (;;) {
      const { a, b } = (await trees?.next())?.value?.values ?? {}
      expect(a).toBe(b)
      if (a === '30') break
    }
    await written
    await trees?.return?.()
  })

  test('what cannot be written is refused, and nothing of it is', async () => {
    const prefix = newPrefix()
    const texts = source({ prefix })
    const refused: [string, unknown, string][] = [
      ['a', ['x'], "set option values to 'json'"],
      ['a', null, "set option values to 'json'"],
      ['a', Number.NaN, 'a: give texts, finite numbers'],
      ['a', { b: new Date() }, 'a.b: give texts'],
      ['a', { b: 1n }, 'a.b: give texts'],
      ['', 'x', 'at the top there must be a tree'],
      ['a..b', 'x', 'path "a..b"'],
      ['a', { 'b/c': 'x' }, '"b/c" is no part of a key'],
    ]
    for (const [path, value, why] of refused) {
      await expect(texts.write(path, value)).rejects.toMatchObject({
        code: 'invalid_argument',
        detail: expect.stringContaining(why),
      })
    }
    const many = Object.fromEntries(Array.from({ length: 129 }, (_, n) => [`n${n}`, 'x']))
    await expect(texts.write('', many)).rejects.toMatchObject({
      code: 'resource_exhausted',
      detail: expect.stringContaining('--max-txn-ops'),
    })
    expect(await etcd.list(prefix)).toEqual([])
    await expect(source({ key: `${prefix}.toml` }).write('a', 1)).rejects.toThrow('TOML')
    await expect(source({ key: `${prefix}.json` }).write('', [1])).rejects.toThrow('a tree of keys')
    await expect(texts.write('a', 'x', { signal: AbortSignal.abort('mine') })).rejects.toBe('mine')
  })
})
