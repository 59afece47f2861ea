import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Store, StoreEvent } from '@micro/core/store'
import { type FileStoreOptions, fileStore } from '@micro/plugin-store-file'
import { afterEach, beforeEach } from 'vitest'

/** Full length of long proofs at 1. */
export const scale = Number(process.env['MICRO_SCALE'] ?? '0.02')

export interface Place {
  /** Of the running test; removed after it. */
  readonly directory: string
  /** The database. */
  readonly file: string
  /** A store on the directory, closed after the test. */
  open(options?: Partial<FileStoreOptions>): Store
  /** Runs a script of this folder, killed after the test. Its messages come by `process.send`. */
  run(script: string, ...parameters: readonly string[]): ChildProcess
  /** Does `work` without the powers of root, to which no directory is closed. */
  unprivileged(work: () => Promise<void>): Promise<void>
}

const nobody = 65_534

/** Gives each test of the file a directory of its own. */
export function usePlace(): Place {
  let directory = ''
  const opened: Store[] = []
  const started: ChildProcess[] = []
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'store-file-'))
  })
  afterEach(async () => {
    for (const child of started.splice(0)) await kill(child)
    for (const store of opened.splice(0)) await store.close()
    await rm(directory, { recursive: true, force: true })
  })
  return {
    get directory() {
      return directory
    },
    get file() {
      return join(directory, 'micro.store.db')
    },
    open(options) {
      const store = fileStore({ directory, ...options })
      opened.push(store)
      return store
    },
    run(script, ...parameters) {
      const path = join(import.meta.dirname, script)
      const child = spawn(process.execPath, [path, directory, ...parameters], {
        stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
        serialization: 'advanced',
      })
      started.push(child)
      return child
    },
    async unprivileged(work) {
      if (process.geteuid?.() !== 0) return work()
      const files = await readdir(directory, { recursive: true })
      for (const file of ['', ...files]) await chown(join(directory, file), nobody, nobody)
      process.seteuid?.(nobody)
      try {
        await work()
      } finally {
        process.seteuid?.(0)
      }
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

/** The code with which the child ends. */
export async function exitOf(child: ChildProcess): Promise<number | null> {
  const [code] = await once(child, 'exit')
  return code
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export async function textAt(store: Store, key: string): Promise<string | undefined> {
  const record = await store.read(key)
  return record === undefined ? undefined : new TextDecoder().decode(record.value)
}

export async function keysOf(store: Store): Promise<string[]> {
  return (await Array.fromAsync(store.list({ keysOnly: true }))).map(({ key }) => key)
}

export type StoreWatcher = Awaited<ReturnType<NonNullable<Store['watch']>>>

export async function watch(store: Store, prefix = ''): Promise<StoreWatcher> {
  return await (store.watch as NonNullable<Store['watch']>)(prefix)
}

export async function nextOf(watcher: StoreWatcher): Promise<StoreEvent> {
  const step = await watcher.next()
  if (step.done === true) throw new Error('the watch has ended')
  return step.value
}
