import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '@micro/conformance/kit'
import { describe, expect, test } from 'vitest'
import { afterwards, binaries, scale, start, wait } from './support.ts'

const kills = Math.max(4, Math.round(100 * scale))

describe.skipIf(binaries === undefined)('several processes on a real PostgreSQL', () => {
  test(`exclude each other, though ${kills} are killed where they stand`, {
    timeout: 600_000,
  }, async () => {
    const postgres = await start()
    const folder = await mkdtemp(join(tmpdir(), 'micro-sync-cockroach-'))
    afterwards(() => rm(folder, { recursive: true, force: true }))
    const file = join(folder, 'log')
    const script = join(import.meta.dirname, 'hold-and-log.ts')
    const startOne = (): ChildProcess => {
      const child = spawn(process.execPath, [script, postgres.url, file], { stdio: 'inherit' })
      afterwards(() => child.kill('SIGKILL'))
      return child
    }
    const lines = (): string[] =>
      existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
    const workers = [startOne(), startOne(), startOne()]
    for (let round = 0; round < kills; round++) {
      const before = lines().length
      await eventually(() => expect(lines().length).toBeGreaterThan(before + 10), 20_000)
      await wait(Math.random() * 20)
      const at = round % workers.length
      const victim = workers[at] as ChildProcess
      // Written down first: from here on it may be gone.
      appendFileSync(file, `kill ${victim.pid}\n`)
      victim.kill('SIGKILL')
      await once(victim, 'exit')
      workers[at] = startOne()
    }
    const before = lines().length
    await eventually(() => expect(lines().length).toBeGreaterThan(before + 10), 20_000)
    for (const worker of workers) {
      worker.kill('SIGKILL')
      await once(worker, 'exit')
    }
    checkLog(lines())
  })
})

function checkLog(lines: readonly string[]): void {
  let holder: string | undefined
  let latest = 0n
  const killed = new Set<string>()
  const seen = new Set<string>()
  for (const line of lines) {
    const [what, pid = '', token = '0'] = line.split(' ')
    if (what === 'kill') killed.add(pid)
    if (what === 'leave') holder = holder === pid ? undefined : holder
    if (what !== 'enter') continue
    expect(BigInt(token), line).toBeGreaterThan(latest)
    latest = BigInt(token)
    if (holder !== undefined) expect(killed, `${line}, while ${holder} is inside`).toContain(holder)
    holder = pid
    seen.add(pid)
  }
  expect(seen.size).toBeGreaterThan(2)
}
