import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { memoryStore, type Store } from '@micro/core/store'
import { type EncryptedStoreOptions, encryptedStore, reencrypt } from '@micro/plugin-store-views'
import { expect, test } from 'vitest'
import { bytesOf, textAt, textOf } from './support.ts'

const key = randomBytes(32)
const keys = [{ id: 'k1', key }]
const newer = { id: 'k2', key: randomBytes(32) }
const lost = (name: string, why = ''): object => ({
  code: 'data_loss',
  detail: expect.stringMatching(new RegExp(`"${name}".*${why}`)),
})

async function rawAt(below: Store, name: string): Promise<Buffer> {
  const record = await below.read(name)
  return Buffer.from(record?.value ?? new Uint8Array())
}

test('nothing of value and metadata stands below in the clear, nor twice the same', async () => {
  const below = memoryStore()
  const store = encryptedStore({ store: below, keys })
  for (const name of ['a', 'b']) {
    await store.write(name, bytesOf('the secret value'), {
      metadata: { owner: 'the secret owner' },
    })
  }
  const a = await rawAt(below, 'a')
  const b = await rawAt(below, 'b')
  for (const raw of [a, b]) {
    expect(raw.includes('secret')).toBe(false)
    expect(raw.includes('owner')).toBe(false)
  }
  expect((await below.read('a'))?.metadata).toEqual({})
  // Nonces are random, so that not even the start is the same.
  expect(a.subarray(4, 16).equals(b.subarray(4, 16))).toBe(false)
  expect(a.subarray(16).equals(b.subarray(16))).toBe(false)
})

test('the envelope is what the README says', async () => {
  const below = memoryStore()
  const store = encryptedStore({ store: below, keys })
  await store.write('a', bytesOf('value'), { metadata: { m: 'x' } })
  const raw = await rawAt(below, 'a')
  expect(raw.subarray(0, 4)).toEqual(Buffer.from('\x01\x02k1'))
  const decipher = createDecipheriv('aes-256-gcm', key, raw.subarray(4, 16))
  decipher.setAAD(Buffer.from('\x01\x02k1a'))
  decipher.setAuthTag(raw.subarray(-16))
  const plain = Buffer.concat([decipher.update(raw.subarray(16, -16)), decipher.final()])
  expect(plain).toEqual(Buffer.from('\x00\x00\x00\x09{"m":"x"}value'))

  // And what another program writes like that is read.
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(Buffer.from('\x01\x02k1b'))
  const sealed = [cipher.update(Buffer.from('\x00\x00\x00\x00mine')), cipher.final()]
  const envelope = Buffer.concat([Buffer.from('\x01\x02k1'), nonce, ...sealed, cipher.getAuthTag()])
  await below.write('b', envelope)
  expect(await store.read('b')).toMatchObject({ metadata: {} })
  expect(await textAt(store, 'b')).toBe('mine')
})

test('a flip of any bit of the envelope is data_loss by the key, and so is every cut', async () => {
  const below = memoryStore()
  const store = encryptedStore({ store: below, keys })
  await store.write('a', bytesOf('1'), { metadata: { m: 'x' } })
  const raw = await rawAt(below, 'a')
  for (let at = 0; at < raw.length * 8; at++) {
    const flipped = Buffer.from(raw)
    flipped[at >> 3] = (flipped[at >> 3] as number) ^ (1 << (at & 7))
    await below.write('a', flipped)
    await expect(store.read('a')).rejects.toMatchObject(lost('a'))
  }
  for (let length = 0; length < raw.length; length++) {
    await below.write('a', raw.subarray(0, length))
    await expect(store.read('a')).rejects.toMatchObject(lost('a'))
  }
  await below.write('a', raw)
  expect(await textAt(store, 'a')).toBe('1')
})

test('a record that is moved to another key, and one that was never sealed, are data_loss', async () => {
  const below = memoryStore()
  const store = encryptedStore({ store: below, keys })
  await store.write('rich', bytesOf('1000'))
  await store.write('poor', bytesOf('1'))
  await below.write('poor', await rawAt(below, 'rich'))
  await expect(store.read('poor')).rejects.toMatchObject(lost('poor', 'moved'))
  await below.write('plain', bytesOf('in the clear, and longer than any head of an envelope is'))
  await expect(store.read('plain')).rejects.toMatchObject(lost('plain'))
  await expect(Array.fromAsync(store.list())).rejects.toMatchObject(lost('plain'))
  await expect(Array.fromAsync(store.list({ keysOnly: true }))).rejects.toMatchObject(lost('plain'))
  expect(store.health()).toMatchObject({ status: 'degraded' })
})

test('a watch tells of what cannot be opened as a reset, and goes on', async () => {
  const below = memoryStore()
  const store = encryptedStore({ store: below, keys })
  const watcher = await store.watch?.('')
  await below.write('a', bytesOf('in the clear'))
  expect((await watcher?.next())?.value).toEqual({ type: 'reset' })
  await store.write('b', bytesOf('1'), { metadata: { m: 'x' } })
  const event = (await watcher?.next())?.value
  expect(event).toMatchObject({ type: 'put', record: { key: 'b', metadata: { m: 'x' } } })
  await store.close()
  expect((await watcher?.next())?.done).toBe(true)
})

test('keys rotate: the first encrypts, all decrypt, and reencrypt lets old ones go', async () => {
  const below = memoryStore()
  const before = encryptedStore({ store: below, keys })
  await before.write('a', bytesOf('1'), { metadata: { m: 'x' } })
  await before.write('b', bytesOf('2'), { ttl: 60_000 })
  const expiresAt = (await before.read('b'))?.expiresAt ?? 0
  const during = encryptedStore({ store: below, keys: [newer, ...keys] })
  expect(await textAt(during, 'a')).toBe('1')
  await during.write('c', bytesOf('3'))
  const after = encryptedStore({ store: below, keys: [newer] })
  expect(await textAt(after, 'c')).toBe('3')
  await expect(after.read('a')).rejects.toMatchObject(lost('a', 'k1'))
  const { version } = (await during.read('c')) ?? {}
  expect(await reencrypt({ store: below, keys: [newer, ...keys] })).toBe(2)
  expect(await reencrypt({ store: below, keys: [newer, ...keys] })).toBe(0)
  expect(textOf(await after.read('a'))).toBe('1')
  expect((await after.read('a'))?.metadata).toEqual({ m: 'x' })
  expect((await after.read('b'))?.expiresAt).toBeLessThanOrEqual(expiresAt + 5)
  expect((await after.read('b'))?.expiresAt).toBeGreaterThan(expiresAt - 5_000)
  expect((await after.read('c'))?.version).toBe(version)
})

test('reencrypt leaves alone what is changed meanwhile, and keeps to its prefix', async () => {
  const below = memoryStore()
  const old = encryptedStore({ store: below, keys })
  for (const name of ['a/1', 'a/2', 'b']) await old.write(name, bytesOf('old'))
  const raced: Store = {
    ...below,
    async write(name, value, options) {
      if (name === 'a/1') await old.write(name, bytesOf('theirs'))
      return below.write(name, value, options)
    },
  }
  expect(await reencrypt({ store: raced, keys: [newer, ...keys], prefix: 'a/' })).toBe(1)
  expect(await textAt(old, 'a/1')).toBe('theirs')
  expect(await textAt(old, 'b')).toBe('old')
  await expect(old.read('a/2')).rejects.toMatchObject(lost('a/2', 'k2'))
})

test('another key of the same id opens nothing; whoever wipes his own bytes does not wipe these', async () => {
  const below = memoryStore()
  const mine = Uint8Array.from(key)
  const store = encryptedStore({ store: below, keys: [{ id: 'k1', key: mine }] })
  mine.fill(0)
  await store.write('a', bytesOf('1'))
  expect(await textAt(encryptedStore({ store: below, keys }), 'a')).toBe('1')
  const other = encryptedStore({ store: below, keys: [{ id: 'k1', key: randomBytes(32) }] })
  await expect(other.read('a')).rejects.toMatchObject(lost('a'))
})

test('what is written to a Buffer afterwards is not in the store', async () => {
  const store = encryptedStore({ store: memoryStore(), keys })
  const mine = Buffer.from('abc')
  const writing = store.write('a', mine)
  mine.fill(0)
  await writing
  expect(await textAt(store, 'a')).toBe('abc')
})

test('closing does not close the store below', async () => {
  const below = memoryStore()
  await encryptedStore({ store: below, keys }).close()
  expect(await below.read('a')).toBeUndefined()
})

test.each<[object, string]>([
  [{ keys }, 'store'],
  [{ store: memoryStore() }, 'keys'],
  [{ store: memoryStore(), keys: [] }, 'keys'],
  [{ store: memoryStore(), keys: [{ id: '', key }] }, 'keys[0].id'],
  [{ store: memoryStore(), keys: [{ id: 'a'.repeat(65), key }] }, 'keys[0].id'],
  [{ store: memoryStore(), keys: [...keys, ...keys] }, 'keys[1].id'],
  [{ store: memoryStore(), keys: [{ id: 'a', key: randomBytes(16) }] }, 'keys[0].key'],
  [{ store: memoryStore(), keys: [{ id: 'a', key: 'hunter2' }] }, 'keys[0].key'],
  [{ store: memoryStore(), keys, key }, 'key'],
])('refuses the options %#', (options, name) => {
  try {
    encryptedStore(options as EncryptedStoreOptions)
    expect.unreachable()
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid_argument' })
    expect(String(error)).toContain(`encryptedStore option ${name} `)
    expect(String(error)).not.toContain('hunter2')
  }
})
