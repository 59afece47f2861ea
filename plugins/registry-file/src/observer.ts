import { type FSWatcher, watch } from 'node:fs'
import { unrefTimer } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import type { Node, RegistryEvent } from '@micro/core/registry'
import type { Settings } from './options.ts'
import type { StoredNode } from './record-file.ts'
import { type ScanMemory, sameNode, scan } from './scan.ts'

/** Looks at the directory for all watchers of one registry, and tells what has changed. */
export interface Observer {
  /** The nodes at the latest look. Looks first, if it does not yet do so by itself. */
  start(): Promise<readonly Node[]>
  stop(): void
  /** Why the latest look failed. */
  readonly failure: unknown
}

export function createObserver(
  settings: Settings,
  onEvent: (event: RegistryEvent) => void,
): Observer {
  const memory: ScanMemory = { files: new Map() }
  let known = new Map<string, StoredNode>()
  let running: Promise<void> | undefined
  let again = false
  let active = false
  let failure: unknown
  let timer: ReturnType<typeof setTimeout> | undefined
  let events: FSWatcher | undefined

  const look = async (): Promise<void> => {
    try {
      tell(await scan(settings, memory))
      failure = undefined
    } catch (error) {
      // What was known stays; the next look may succeed.
      failure = error
    }
  }
  const tell = (found: Map<string, StoredNode>): void => {
    const before = known
    known = found
    for (const [path, { node }] of before) {
      if (!found.has(path)) onEvent({ type: 'delete', service: node.service, id: node.id })
    }
    for (const [path, { node }] of found) {
      const old = before.get(path)
      if (old === undefined || !sameNode(old.node, node)) onEvent({ type: 'put', node })
    }
  }
  /** One look at a time; a change during one asks for another after it. */
  const refresh = (): Promise<void> => {
    if (running !== undefined) {
      again = true
      return running
    }
    running = (async () => {
      do {
        again = false
        await look()
      } while (again && active)
      running = undefined
      if (active) schedule()
    })()
    return running
  }
  const schedule = (): void => {
    clearTimeout(timer)
    listen()
    // The next record to lapse is told of at its time, not at the next poll.
    const nextExpiry = Math.min(
      ...[...known.values()].map(({ expires }) => expires - Date.now() + 1),
    )
    const wait = Math.max(1, Math.min(settings.pollInterval, nextExpiry))
    timer = unrefTimer(setTimeout(() => void refresh(), wait))
  }
  const listen = (): void => {
    if (!settings.useFileEvents || events !== undefined) return
    try {
      const watcher = watch(
        settings.root,
        { recursive: true, persistent: false },
        () => void refresh(),
      )
      const forget = (): void => {
        watcher.close()
        if (events === watcher) events = undefined
      }
      // The directory may be removed, or the system out of watches: polling goes on either way.
      watcher.on('error', forget)
      events = watcher
    } catch {
      // Not there yet; tried again after the next look.
    }
  }

  return {
    get failure() {
      return failure
    },
    async start() {
      active = true
      listen()
      await runInRoot(refresh)
      return [...known.values()].map(({ node }) => node)
    },
    stop() {
      active = false
      clearTimeout(timer)
      events?.close()
      events = undefined
      known = new Map()
    },
  }
}
