import {
  type EtcdEntry,
  type FollowedRange,
  type FollowRangeOptions,
  follow,
  followRange,
  keysBelow,
  type Position,
} from '@micro/etcd-client'
import { etcdBinary, startEtcd } from '@micro/test-services'
import { Etcd3 } from 'etcd3'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { connect, failureOf, inbox, put } from './support.ts'

const scale = Number(process.env['MICRO_SCALE'] ?? '0.01')
const binary = etcdBinary()
const etcd = binary === undefined ? undefined : await startEtcd(binary)
const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})
afterAll(() => etcd?.stop())

type Told = { reset: string[] } | { put: string } | { delete: string }

function followKeys(prefix: string, options: Partial<FollowRangeOptions> = {}) {
  const told = inbox<Told>()
  const problems = inbox<string>()
  const text = ({ key, value }: EtcdEntry): string => `${key.slice(prefix.length)}=${value}`
  const connection = connect({ hosts: etcd?.address ?? '', timeout: 500 })
  const followed: FollowedRange = followRange(connection, {
    range: keysBelow(prefix),
    onReset: (entries) => told.push({ reset: [...entries.values()].map(text) }),
    onPut: (entry) => told.push({ put: text(entry) }),
    onDelete: ({ key }) => told.push({ delete: key.slice(prefix.length) }),
    onProblem: (problem) => problems.push(problem?.code ?? 'none'),
    ...options,
  })
  stops.push(() => followed.stop())
  return { told, problems, followed, connection }
}

describe.skipIf(etcd === undefined)('a followed range of a real etcd', () => {
  test('all at first, then each change', async () => {
    await etcd?.put('one/a', '1')
    const { told, followed } = followKeys('one/')
    await followed.started()
    await etcd?.put('one/b', '2')
    await etcd?.put('one/a', '3')
    await etcd?.delete('one/b')
    await etcd?.put('one', 'not below')
    await etcd?.put('one/c', '4')
    expect(await told.next()).toEqual({ reset: ['a=1'] })
    expect(await told.next()).toEqual({ put: 'b=2' })
    expect(await told.next()).toEqual({ put: 'a=3' })
    expect(await told.next()).toEqual({ delete: 'b' })
    expect(await told.next()).toEqual({ put: 'c=4' })
  })

  test('a look at all of it in between tells each change once', async () => {
    const { told, followed, connection } = followKeys('look/')
    await followed.started()
    for (let n = 0; n < 50; n++) {
      await Promise.all([put(connection, 'look/a', String(n)), followed.refresh()])
    }
    await put(connection, 'look/end', '')
    const values: string[] = []
    await told.until((event) => {
      if ('put' in event) values.push(event.put)
      return 'put' in event && event.put.startsWith('end')
    })
    expect(values).toEqual([...Array.from({ length: 50 }, (_, n) => `a=${n}`), 'end='])
  })

  test('what a look has found is not undone by older events', async () => {
    const { followed, connection } = followKeys('order/')
    await followed.started()
    for (let n = 0; n < 30; n++) {
      await put(connection, 'order/a', String(n))
      await followed.refresh()
      expect(followed.entries.get('order/a')?.value.toString()).toBe(String(n))
    }
  })

  test('a kill and a restart: all again, and what was changed meanwhile', async () => {
    await etcd?.put('kill/a', '1')
    const { told, problems, followed } = followKeys('kill/')
    await followed.started()
    expect(await told.next()).toEqual({ reset: ['a=1'] })
    await etcd?.kill()
    await problems.until((code) => code === 'unavailable')
    await new Promise((resolve) => setTimeout(resolve, 60_000 * scale))
    await etcd?.restart()
    await etcd?.put('kill/b', '2')
    expect(await told.until((event) => 'reset' in event)).toMatchObject({
      reset: expect.arrayContaining(['a=1']),
    })
    await problems.until((code) => code === 'none')
    await etcd?.put('kill/c', '3')
    await told.until((event) => 'put' in event && event.put === 'c=3')
  })

  test('an etcd that has lost its data: what is gone is gone', async () => {
    await etcd?.put('lost/a', '1')
    const { told, problems, followed } = followKeys('lost/')
    await followed.started()
    expect(await told.next()).toEqual({ reset: ['a=1'] })
    await etcd?.restartEmpty()
    expect(await told.next()).toEqual({ reset: [] })
    await problems.until((code) => code === 'none')
    // Revisions begin anew, far below those that were known.
    await etcd?.put('lost/b', '2')
    expect(await told.next()).toEqual({ put: 'b=2' })
    await followed.refresh()
    expect([...followed.entries.keys()]).toEqual(['lost/b'])
  })

  test('an etcd that stands still: told, and followed on when it goes on', async () => {
    const { told, problems, followed, connection } = followKeys('pause/', { interval: 300 })
    await followed.started()
    etcd?.pause()
    await problems.until((code) => code === 'unavailable')
    await new Promise((resolve) => setTimeout(resolve, 30_000 * scale))
    etcd?.resume()
    await problems.until((code) => code === 'none')
    await put(connection, 'pause/a', '1')
    await told.until((event) => 'put' in event && event.put === 'a=1')
  })

  test('history that is compacted away: it begins anew', async () => {
    const connection = connect({ hosts: etcd?.address ?? '' })
    const beginnings = inbox<Position | 'none'>()
    await etcd?.put('compact/a', '1')
    await etcd?.put('compact/a', '2')
    await etcd?.compact()
    const now = await etcd?.list('compact/a')
    const position = (revision: bigint): Position => ({ revision, clusterId: '', term: 0n })
    let first = true
    const following = follow(connection, {
      range: keysBelow('compact/'),
      interval: 60_000,
      async begin(previous) {
        beginnings.push(previous ?? 'none')
        const revision = first ? 1n : BigInt(now?.[0]?.revision ?? 0)
        first = false
        return position(revision)
      },
      onEvents: () => undefined,
      onProblem: () => undefined,
    })
    stops.push(() => following.stop())
    expect(await beginnings.next()).toBe('none')
    expect(await beginnings.next()).toBe('none')
    await following.started()
  })

  test('a watch that is silent is found out by a look', async () => {
    const own = new Etcd3({ hosts: etcd?.address ?? '' })
    stops.push(() => own.close())
    const deaf = {
      kv: own.kv,
      leaseClient: own.leaseClient,
      watchClient: {
        // It says that it watches, and then nothing more.
        watch: async (...given: Parameters<typeof own.watchClient.watch>) => {
          const stream = await own.watchClient.watch(...given)
          const on = stream.on.bind(stream) as unknown as (
            event: string,
            listener: (a: never) => void,
          ) => void
          return Object.assign(stream, {
            on(event: string, listener: (answer: never) => void) {
              const filtered = (answer: { created?: boolean }): void => {
                if (answer?.created === true) listener(answer as never)
              }
              on(event, event === 'data' ? (filtered as (answer: never) => void) : listener)
              return stream
            },
          })
        },
      },
    }
    const told = inbox<string>()
    const followed = followRange(connect({ client: deaf }), {
      range: keysBelow('silent/'),
      interval: 200,
      onReset: () => told.push('reset'),
      onPut: ({ key }) => told.push(`put ${key}`),
      onDelete: ({ key }) => told.push(`delete ${key}`),
    })
    stops.push(() => followed.stop())
    await followed.started()
    await etcd?.put('silent/a', '1')
    expect(await told.next()).toBe('reset')
    expect(await told.next()).toBe('put silent/a')
    await etcd?.delete('silent/a')
    expect(await told.next()).toBe('delete silent/a')
  })

  test('a look where nothing has changed sends nothing; one that finds more reads all', async () => {
    const connection = connect({ hosts: etcd?.address ?? '' })
    const told = inbox<string>()
    const sizes: number[] = []
    const measured = {
      ...connection,
      request: async (...[work, options]: Parameters<typeof connection.request>) => {
        const answer = await connection.request(work, options)
        const isAnswer = typeof answer === 'object' && answer !== null && 'header' in answer
        if (isAnswer) sizes.push(JSON.stringify(answer).length)
        return answer
      },
    } as typeof connection
    for (let n = 0; n < 700; n++) await etcd?.put(`cheap/${n}`, 'x'.repeat(100))
    const followed = followRange(measured, {
      range: keysBelow('cheap/'),
      onReset: () => undefined,
      onPut: ({ key }) => told.push(`put ${key}`),
      onDelete: ({ key }) => told.push(`delete ${key}`),
    })
    stops.push(() => followed.stop())
    await followed.started()
    sizes.length = 0
    await followed.refresh()
    expect(sizes).toHaveLength(1)
    expect(sizes[0]).toBeLessThan(10_000)
    await etcd?.delete('cheap/0')
    await followed.refresh()
    expect(followed.entries.size).toBe(699)
    await told.until((event) => event === 'delete cheap/0')
  })

  test('changes too large for one message arrive all the same', async () => {
    const connection = connect({ hosts: etcd?.address ?? '' })
    const { told, followed } = followKeys('fragments/')
    await followed.started()
    const value = Buffer.alloc(14_000, 'x')
    // Some megabytes of history to be caught up with, each batch more than etcd sends at once.
    for (let batch = 0; batch < 5; batch++) {
      const success = Array.from({ length: 100 }, (_, at) => ({
        request_put: { key: Buffer.from(`fragments/${batch}-${at}`), value },
      }))
      await connection.request((client, options) => client.kv.txn({ success }, options))
    }
    const keys = new Set<string>()
    await told.until((event) => {
      if ('put' in event) keys.add(event.put.slice(0, event.put.indexOf('=')))
      return keys.size === 500
    })
  })

  test('a listener that throws is reported, and the watch goes on', async () => {
    let broken = true
    const problems = inbox<string>()
    const { followed, told } = followKeys('throw/', {
      onPut: ({ key }) => {
        if (broken) throw new Error('of the listener')
        told.push({ put: key })
      },
      onProblem: (problem) => problems.push(problem?.detail ?? 'none'),
    })
    await followed.started()
    await etcd?.put('throw/a', '1')
    expect(await problems.until((detail) => detail !== 'none')).toContain('of the listener')
    broken = false
    await problems.until((detail) => detail === 'none')
    await etcd?.put('throw/b', '1')
    await told.until((event) => 'put' in event && event.put === 'throw/b')
  })

  test('the first failure is for who has asked; then it has stopped', async () => {
    const followed = followRange(connect({ hosts: 'http://127.0.0.1:9' }), {
      range: keysBelow('a'),
      onReset: () => undefined,
      onPut: () => undefined,
      onDelete: () => undefined,
    })
    expect((await failureOf(followed.started())).code).toBe('unavailable')
    expect((await failureOf(followed.refresh())).code).toBe('unavailable')
  })

  test('a watch that the user may not have is told as that', async () => {
    const own = await startEtcd(binary ?? '')
    await own.enableAuth('secret')
    const followed = followRange(connect({ hosts: own.address }), {
      range: keysBelow('a'),
      onReset: () => undefined,
      onPut: () => undefined,
      onDelete: () => undefined,
    })
    expect((await failureOf(followed.started())).code).toBe('unauthenticated')
    await own.stop()
  })
})
