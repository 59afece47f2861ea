import { basename } from 'node:path'
import { unrefTimer } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import type { Node, RegistryEvent } from '@micro/core/registry'
import { createDirectoryEvents } from './directory-events.ts'
import type { Settings } from './options.ts'
import { isRecordName, type StoredNode } from './record-file.ts'
import { createScanner } from './scanner.ts'

/** Follows the directory for all watchers of one registry, and tells what has changed. */
export interface Observer {
  /**
   * Looks at everything now, and goes on looking until stopped.
   *
   * @throws what the file system says, if nothing can be read.
   */
  look(): Promise<readonly Node[]>
  stop(): void
  /** What the latest looks could not read. */
  readonly problem: unknown
}

const longestTimer = 2 ** 31 - 1

export function createObserver(
  settings: Settings,
  onEvent: (event: RegistryEvent) => void,
): Observer {
  const { root, pollInterval, useFileEvents } = settings
  const told = new Map<string, Node>()
  const changed = new Set<string>()
  const visited = new Set<string>()
  let all = true
  let stopped = false
  let unreachable: unknown
  let running: Promise<void> | undefined
  let following: Promise<void> | undefined
  let pollTimer: ReturnType<typeof setTimeout> | undefined
  let lapseTimer: ReturnType<typeof setTimeout> | undefined

  const events = createDirectoryEvents((directory, name) => {
    if (name === undefined || directory === root) all = true
    else if (isRecordName(name)) changed.add(`${basename(directory)}/${name}`)
    else return
    void refresh()
  })
  // It listens first and lists then, so that nothing falls between.
  const scanner = createScanner(settings, (directory) => {
    visited.add(directory)
    if (useFileEvents && !stopped) events.open(directory)
  })

  /** Resolves after a look that began after the call. Never rejects: `lookOnce` does not. */
  const refresh = (): Promise<void> => {
    if (running === undefined) {
      running = lookOnce().finally(() => {
        running = undefined
      })
      return running
    }
    following ??= running.then(() => {
      following = undefined
      return refresh()
    })
    return following
  }
  const lookOnce = async (): Promise<void> => {
    if (stopped) return
    if (all) await lookAtAll()
    else await scanner.read(takeChanged())
    const living = await scanner.living()
    if (stopped) return
    tell(living)
    awaitLapse(living)
  }
  const takeChanged = (): string[] => {
    const files = [...changed]
    changed.clear()
    return files
  }
  const lookAtAll = async (): Promise<void> => {
    const files = takeChanged()
    all = false
    visited.clear()
    clearTimeout(pollTimer)
    try {
      await scanner.scan()
      unreachable = undefined
      events.closeOthers(visited)
    } catch (error) {
      // What was known stays; the next look may succeed.
      unreachable = error
    }
    await scanner.read(files)
    if (!stopped) pollTimer = unrefTimer(setTimeout(lookAgain, pollInterval))
  }
  const lookAgain = (): void => {
    all = true
    void refresh()
  }

  const tell = (living: ReadonlyMap<string, StoredNode>): void => {
    for (const [file, { service, id }] of told) {
      if (living.has(file)) continue
      told.delete(file)
      onEvent({ type: 'delete', service, id })
    }
    for (const [file, { node }] of living) {
      if (told.get(file) === node) continue
      told.set(file, node)
      onEvent({ type: 'put', node })
    }
  }
  /** A lapse is told of at its time, not at the next poll. */
  const awaitLapse = (living: ReadonlyMap<string, StoredNode>): void => {
    clearTimeout(lapseTimer)
    let next = Number.POSITIVE_INFINITY
    for (const { expires } of living.values()) next = Math.min(next, expires)
    if (next === Number.POSITIVE_INFINITY) return
    const wait = Math.min(next - Date.now(), longestTimer)
    lapseTimer = unrefTimer(setTimeout(() => void refresh(), wait))
  }

  return {
    get problem() {
      return scanner.problem
    },
    async look() {
      all = true
      await runInRoot(refresh)
      if (unreachable !== undefined) throw unreachable
      return [...told.values()]
    },
    stop() {
      stopped = true
      clearTimeout(pollTimer)
      clearTimeout(lapseTimer)
      events.close()
    },
  }
}
