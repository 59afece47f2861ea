import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { eventually } from '@micro/conformance/kit'
import { MicroError } from '@micro/core/errors'
import { describe, expect, test } from 'vitest'
import { sqlOf } from './sql.ts'
import {
  afterwards,
  binaries,
  bytesOf,
  newNamespace,
  open,
  scale,
  server,
  textOf,
} from './support.ts'

const rounds = Math.max(10, Math.round(1_000 * scale))
const here = (name: string): string => join(import.meta.dirname, name)

describe.skipIf(binaries === undefined)('several processes on a real PostgreSQL', () => {
  test('add to one count by compare-and-swap and lose none; each sees what the other writes', async () => {
    const postgres = await server()
    const namespace = newNamespace()
    const times = 100
    const store = open({ connectionString: postgres.url, namespace, pollInterval: 20 })
    const watcher = await store.watch('from-child/')
    const children = [1, 2].map((): ChildProcess => {
      const child = fork(here('count-and-watch.ts'), [postgres.url, namespace, String(times)])
      afterwards(() => child.kill('SIGKILL'))
      return child
    })
    await Promise.all(children.map((child) => once(child, 'message')))
    for (let left = times; left > 0; ) {
      const found = await store.read('count')
      const value = bytesOf(String(Number(textOf(found?.value) ?? '0') + 1))
      const condition = found === undefined ? { ifAbsent: true } : { ifVersion: found.version }
      try {
        await store.commit([{ type: 'write', key: 'count', value, ...condition }])
        left -= 1
      } catch (error) {
        if (!MicroError.is(error, 'aborted') && !MicroError.is(error, 'already_exists')) throw error
      }
    }
    await store.write('to-child/a', bytesOf('hello'))
    const event = (await watcher.next()).value
    expect(event).toMatchObject({ type: 'put', record: { key: 'from-child/a' } })
    for (const child of children) if (child.exitCode === null) await once(child, 'exit')
    expect(textOf((await store.read('count'))?.value)).toBe(String(3 * times))
  })

  test(`${rounds} writers killed where they stand: every write that was told of is there`, {
    timeout: 1_800_000,
  }, async () => {
    const postgres = await server()
    const namespace = newNamespace()
    const store = open({ connectionString: postgres.url, namespace })
    await store.connect()
    let told = 0
    for (let round = 0; round < rounds; round++) {
      const child = spawn(
        process.execPath,
        [here('write-and-tell.ts'), postgres.url, namespace, String(round)],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      )
      afterwards(() => child.kill('SIGKILL'))
      let output = ''
      child.stdout.setEncoding('utf8')
      child.stdout.on('data', (text: string) => {
        output += text
      })
      await once(child.stdout, 'data')
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 40))
      child.kill('SIGKILL')
      await Promise.all([once(child, 'exit'), once(child.stdout, 'close')])
      // The last line may be cut, not what it tells of.
      const keys = output.split('\n').slice(0, -1)
      const found = new Map<string, string | undefined>()
      for await (const { key, value } of store.list({ prefix: `${round}/` })) {
        found.set(key, textOf(value))
      }
      for (const key of keys) expect(found.has(key), key).toBe(true)
      for (const [key, value] of found) {
        const [, , n = ''] = key.split('/')
        expect(value, key).toBe(n)
        const isTwin = key.endsWith('/twin')
        if (isTwin) expect(found.has(key.slice(0, -5)), key).toBe(true)
        else if (Number(n) % 2 === 1) expect(found.has(`${key}/twin`), key).toBe(true)
      }
      told += keys.length
    }
    expect(told).toBeGreaterThan(rounds)
    // Nobody is left in the server, and no batch is open.
    const left = `SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'`
    const sql = sqlOf(postgres)
    await eventually(async () => expect(await sql(left)).toEqual([['0']]), 10_000)
  })
})
