import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { eventually } from '../kit/eventually.ts'

export interface ProcessExclusionOptions {
  /**
   * Path of a script that takes one lock again and again until it is killed. The last of its arguments is a
   * file, to which it appends a line each time: `enter <pid> <token>` once it has the lock, and
   * `leave <pid>` before it releases it, unless that was lost.
   */
  readonly script: string
  /** Its arguments before the file. */
  readonly parameters: readonly string[]
  /** How many processes are killed, one after the other. */
  readonly kills: number
  /** Milliseconds that a lock may take to be free after its holder was killed. @default 20000 */
  readonly patience?: number
}

const processes = 3
/** Lines between two kills: several turns. */
const between = 6

/**
 * Proves that processes exclude each other although they are killed where they stand, and that tokens grow.
 * It takes about `kills` times the ttl of the lock.
 */
export async function proveProcessExclusion(options: ProcessExclusionOptions): Promise<void> {
  const { script, parameters, kills, patience = 20_000 } = options
  const folder = await mkdtemp(join(tmpdir(), 'micro-exclusion-'))
  const file = join(folder, 'log')
  const start = (): ChildProcess =>
    spawn(process.execPath, [script, ...parameters, file], {
      stdio: ['ignore', 'inherit', 'inherit'],
    })
  const lines = (): string[] =>
    existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
  const grow = async (): Promise<void> => {
    const before = lines().length
    await eventually(() => expect(lines().length).toBeGreaterThan(before + between), patience)
  }
  const workers = Array.from({ length: processes }, start)
  try {
    for (let round = 0; round < kills; round++) {
      await grow()
      // Somewhere between two of its steps.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
      const at = round % processes
      const victim = workers[at] as ChildProcess
      // Written down first: from here on it may be gone.
      appendFileSync(file, `kill ${victim.pid}\n`)
      await kill(victim)
      workers[at] = start()
    }
    await grow()
  } finally {
    for (const worker of workers) await kill(worker)
  }
  checkLog(lines())
  await rm(folder, { recursive: true })
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

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
  expect(seen.size, 'processes that have had the lock').toBeGreaterThan(1)
}
