import { join } from 'node:path'
import { eventually, runCase } from '@micro/conformance/kit'
import { storeTraits } from '@micro/conformance/store'
import type { Store } from '@micro/core/store'
import { fileStore } from '@micro/plugin-store-file'
import { describe, expect, test } from 'vitest'
import { remoteStore } from './remote-store.ts'
import {
  bytesOf,
  exitOf,
  keysOf,
  messageOf,
  nextOf,
  scale,
  textAt,
  usePlace,
  watch,
} from './support.ts'

const place = usePlace()
const times = Math.max(100, Math.round(5_000 * scale))

describe('the suite’s concurrency, with every other instance in a process of its own', () => {
  const concurrency = storeTraits.find(({ name }) => name === 'concurrency')
  for (const one of concurrency?.cases ?? []) {
    test(one.name, async () => {
      let instances = 0
      const create = (scope: string): Store => {
        const directory = join(place.directory, scope)
        const local = fileStore({ directory })
        return instances++ % 2 === 0
          ? local
          : remoteStore(place.run('serve-store.ts', scope), local)
      }
      await runCase(one, { name: 'file', create })
      expect(instances).toBeGreaterThan(0)
    })
  }
})

test('processes that count by compare-and-swap lose nothing, and a watch sees how it ends', async () => {
  const store = place.open()
  await using watcher = await watch(store)
  const children = [1, 2, 3].map(() => place.run('churn.ts', String(times)))
  const exits = Promise.all(children.map(exitOf))
  const seen = new Map<string, string>()
  const ended = await followUntil(watcher, seen, String(3 * times))
  expect(ended).toBe(true)
  expect(await exits).toEqual([0, 0, 0])
  expect(await textAt(store, 'count')).toBe(String(3 * times))
  await store.write('end', bytesOf('1'))
  for (let key = ''; key !== 'end'; ) key = await take(watcher, seen)
  expect([...seen.keys()].sort()).toEqual(await keysOf(store))
  for (const [key, text] of seen) expect(await textAt(store, key)).toBe(text)
})

async function followUntil(
  watcher: Awaited<ReturnType<typeof watch>>,
  seen: Map<string, string>,
  count: string,
): Promise<boolean> {
  while (seen.get('count') !== count) await take(watcher, seen)
  return true
}

/** The key that the next event tells of. */
async function take(
  watcher: Awaited<ReturnType<typeof watch>>,
  seen: Map<string, string>,
): Promise<string> {
  const event = await nextOf(watcher)
  if (event.type === 'reset') throw new Error('nothing was missed')
  if (event.type === 'delete') {
    seen.delete(event.key)
    return event.key
  }
  const { key, value } = event.record
  seen.set(key, new TextDecoder().decode(value))
  return key
}

test('a process that only watches ends by itself, and what it wrote is there', async () => {
  expect(await exitOf(place.run('watch-and-return.ts'))).toBe(0)
  expect(await keysOf(place.open())).toEqual(['a'])
})

describe('while another process keeps the file busy', () => {
  test('reads go on, the event loop turns, and a write waits', async () => {
    const store = place.open()
    await store.write('a', bytesOf('1'))
    const child = place.run('hold-file.ts')
    expect(await messageOf(child)).toBe('held')
    const writing = store.write('a', bytesOf('2'))
    let settled = false
    writing.then(
      () => {
        settled = true
      },
      () => undefined,
    )
    for (let turn = 0; turn < 20; turn++) {
      expect(await textAt(store, 'a')).toBe('1')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(settled).toBe(false)
    child.send('let go')
    await writing
    expect(await textAt(store, 'a')).toBe('2')
    expect(store.health().status).toBe('up')
  })

  test('a write is given up after busyTimeout, and is never made', async () => {
    const store = place.open({ busyTimeout: 50 })
    await store.connect()
    const child = place.run('hold-file.ts')
    await messageOf(child)
    await expect(store.write('a', bytesOf('1'))).rejects.toMatchObject({
      code: 'unavailable',
      detail: expect.stringContaining(place.file),
    })
    expect(store.health()).toMatchObject({ status: 'degraded' })
    child.send('let go')
    await exitOf(child)
    await store.write('b', bytesOf('1'))
    expect(await keysOf(store)).toEqual(['b'])
    expect(store.health().status).toBe('up')
  })

  test('a write that is aborted rejects at once with the reason, and is never made', async () => {
    const store = place.open()
    await store.connect()
    const child = place.run('hold-file.ts')
    await messageOf(child)
    const controller = new AbortController()
    const given = store.write('a', bytesOf('1'), { signal: controller.signal })
    const kept = store.write('b', bytesOf('1'))
    const reason = new Error('mine')
    setTimeout(() => controller.abort(reason), 20)
    await expect(given).rejects.toBe(reason)
    child.send('let go')
    await kept
    expect(await keysOf(store)).toEqual(['b'])
  })
})

test('a record that lapses is swept by whichever process is there, once', async () => {
  const store = place.open({ sweepInterval: 20 })
  await using watcher = await watch(store)
  expect(await exitOf(place.run('watch-and-return.ts'))).toBe(0)
  const put = await nextOf(watcher)
  expect(put).toMatchObject({ type: 'put', record: { key: 'a' } })
  await store.write('a', bytesOf('2'), { ttl: 50 })
  const other = place.open({ sweepInterval: 20 })
  await other.connect()
  await eventually(async () => expect(await other.read('a')).toBeUndefined())
  let event = await nextOf(watcher)
  while (event.type === 'put') event = await nextOf(watcher)
  expect(event).toEqual({ type: 'delete', key: 'a' })
  await store.write('b', bytesOf('1'))
  expect(await nextOf(watcher)).toMatchObject({ type: 'put', record: { key: 'b' } })
})
