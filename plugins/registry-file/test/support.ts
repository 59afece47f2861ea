import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Node, Registry, RegistryEvent, RegistryWatcher } from '@micro/core/registry'
import { type FileRegistryOptions, fileRegistry } from '@micro/plugin-registry-file'
import { afterEach, beforeEach } from 'vitest'

export interface Place {
  /** Of the running test; removed after it. */
  readonly directory: string
  /** Of the service of `makeNode`. */
  readonly service: string
  record(id: string): string
  /** A registry on the directory, closed after the test. */
  open(options?: FileRegistryOptions): Registry
  /** Does `work` without the powers of root, to which no directory is closed. */
  unprivileged(work: () => Promise<void>): Promise<void>
  /** Runs a script of this folder, killed after the test. */
  run(script: string, ...parameters: readonly string[]): ChildProcess
}

const nobody = 65_534

/** Gives each test of the file a directory of its own. */
export function usePlace(parent: string = tmpdir()): Place {
  let directory = ''
  const opened: Registry[] = []
  const started: ChildProcess[] = []
  beforeEach(async () => {
    directory = await mkdtemp(join(parent, 'registry-file-'))
  })
  afterEach(async () => {
    for (const registry of opened.splice(0)) await registry.close()
    for (const child of started.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await rm(directory, { recursive: true, force: true })
  })
  return {
    get directory() {
      return directory
    },
    get service() {
      return join(directory, 'micro', 'greeter')
    },
    record: (id) => join(directory, 'micro', 'greeter', `${id}.json`),
    open(options) {
      const registry = fileRegistry({ directory, ...options })
      opened.push(registry)
      return registry
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
    run(script, ...parameters) {
      const path = join(import.meta.dirname, script)
      const child = spawn(process.execPath, [path, directory, ...parameters], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      started.push(child)
      return child
    },
  }
}

/** Only file events can tell in time, or only polling. */
export const eventsOnly: FileRegistryOptions = { pollInterval: 3_600_000 }
export const pollingOnly: FileRegistryOptions = { useFileEvents: false, pollInterval: 20 }
/** Neither tells: what is known comes from the registry's own timers. */
export const neither: FileRegistryOptions = { useFileEvents: false, pollInterval: 3_600_000 }

/** Reads events until `enough` says so of what they add up to. */
export async function follow(
  watcher: RegistryWatcher,
  enough: (nodes: ReadonlyMap<string, Node>, event: RegistryEvent) => boolean,
): Promise<ReadonlyMap<string, Node>> {
  const nodes = new Map<string, Node>()
  for (;;) {
    const event = await nextOf(watcher)
    if (event.type === 'reset') {
      nodes.clear()
      for (const node of event.nodes) nodes.set(node.id, node)
    } else if (event.type === 'put') nodes.set(event.node.id, event.node)
    else nodes.delete(event.id)
    if (enough(nodes, event)) return nodes
  }
}

export async function nextOf(watcher: RegistryWatcher): Promise<RegistryEvent> {
  const { value, done } = await watcher.next()
  if (done === true) throw new Error('the watch has ended')
  return value
}

export function idsOf(nodes: readonly Node[]): string[] {
  return nodes.map(({ id }) => id).sort()
}

/** What a record's file holds. */
export function recordOf(node: Node, ttl: number): string {
  return JSON.stringify({ ...node, expires: Date.now() + ttl })
}
