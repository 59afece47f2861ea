import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Sync } from '@micro/core/sync'
import { type FileSyncOptions, fileSync } from '@micro/plugin-sync-file'
import { afterEach, beforeEach } from 'vitest'

/** Full length of long proofs at 1. */
export const scale = Number(process.env['MICRO_SCALE'] ?? '0.02')

export interface Place {
  /** Of the running test; removed after it. */
  readonly directory: string
  /** The database. */
  readonly file: string
  /** A sync on the directory, closed after the test. */
  open(options?: Partial<FileSyncOptions>): Sync
  /** Runs a script of this folder, killed after the test. Its messages come by `process.send`. */
  run(script: string, ...parameters: readonly string[]): ChildProcess
}

/** Gives each test of the file a directory of its own. */
export function usePlace(): Place {
  let directory = ''
  const opened: Sync[] = []
  const started: ChildProcess[] = []
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sync-file-'))
  })
  afterEach(async () => {
    for (const child of started.splice(0)) await kill(child)
    for (const sync of opened.splice(0)) await sync.close()
    await rm(directory, { recursive: true, force: true })
  })
  return {
    get directory() {
      return directory
    },
    get file() {
      return join(directory, 'micro.sync.db')
    },
    open(options) {
      const sync = fileSync({ directory, ...options })
      opened.push(sync)
      return sync
    },
    run(script, ...parameters) {
      const path = join(import.meta.dirname, script)
      const child = spawn(process.execPath, [path, directory, ...parameters], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        serialization: 'advanced',
      })
      started.push(child)
      return child
    },
  }
}

export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

/** Resolves with the next thing that the child sends. */
export async function messageOf(child: ChildProcess): Promise<unknown> {
  const [message] = await once(child, 'message')
  return message
}
