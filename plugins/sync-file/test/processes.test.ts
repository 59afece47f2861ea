import { once } from 'node:events'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { proveProcessExclusion } from '@micro/conformance/sync'
import { expect, test } from 'vitest'
import { kill, messageOf, scale, usePlace } from './support.ts'

const place = usePlace()
const kills = Math.max(6, Math.round(200 * scale))

test(`processes exclude each other, though ${kills} are killed where they stand`, {
  timeout: 600_000,
}, async () => {
  const script = join(import.meta.dirname, 'hold-and-log.ts')
  await proveProcessExclusion({ script, parameters: [place.directory], kills })
})

test('what a killed process held is free after its ttl, and not before', async () => {
  const sync = place.open()
  const child = place.run('hold.ts', '700')
  const [lockToken, leaderToken] = (await messageOf(child)) as [bigint, bigint]
  await using observer = await sync.leader('a').observe()
  expect((await observer.next()).value).toEqual({ leader: { id: 'child', token: leaderToken } })
  await kill(child)
  await expect(sync.lock('a', { wait: 0 })).rejects.toMatchObject({ code: 'aborted' })
  const lock = await sync.lock('a', { wait: 20_000 })
  expect(lock.token).toBeGreaterThan(lockToken)
  // Nobody wrote that down: the observer has to tell by itself.
  expect((await observer.next()).value).toEqual({ leader: undefined })
})

test('a holder in another process whose lease was taken from it is told', async () => {
  const sync = place.open()
  const lock = await sync.lock('a', { ttl: 300 })
  const database = new DatabaseSync(place.file)
  database.exec('DELETE FROM places')
  database.close()
  await once(lock.lost, 'abort')
  expect(lock.lost.reason).toMatchObject({ code: 'aborted' })
})

test('leases of before the machine was started anew are over, and tokens go on', async () => {
  const first = place.open()
  const { token } = await first.lock('a', { ttl: 600_000 })
  const database = new DatabaseSync(place.file)
  database.exec('UPDATE places SET since = since + 1e12')
  database.close()
  const lock = await place.open().lock('a', { wait: 0 })
  expect(lock.token).toBeGreaterThan(token)
})

test('places of the dead are forgotten when the file is opened', async () => {
  const sync = place.open()
  await sync.connect()
  const database = new DatabaseSync(place.file)
  database.exec(`INSERT INTO places VALUES ('lock/x', 1, '', 0, 100)`)
  const count = (): unknown =>
    database.prepare('SELECT count(*) AS count FROM places').get()?.['count']
  expect(count()).toBe(1)
  await place.open().connect()
  expect(count()).toBe(0)
  database.close()
})

test('a process that holds and observes, and no more, ends by itself', async () => {
  const child = place.run('lock-and-return.ts')
  const [code] = await once(child, 'exit')
  expect(code).toBe(0)
})

test('many who wait in two instances all get their turn', async () => {
  const syncs = [place.open(), place.open()]
  let inside = 0
  await Promise.all(
    Array.from({ length: 40 }, async (_, at) => {
      await using lock = await (syncs[at % 2] ?? place.open()).lock('a', { ttl: 10_000 })
      inside += 1
      expect(inside).toBe(1)
      await new Promise((resolve) => setImmediate(resolve))
      expect(lock.lost.aborted).toBe(false)
      inside -= 1
    }),
  )
})
