import { type FSWatcher, watch } from 'node:fs'
import { dirname } from 'node:path'
import type { Settings } from './options.ts'

/** Wakes its waiter when something may have changed. */
export interface Notices {
  /** Resolves at the next sign of a change, at the latest after the poll interval; or when ended. */
  next(): Promise<void>
  end(): void
}

/** Editors and installers write in several steps; what comes within this many milliseconds is one. */
const settleTime = 20

/**
 * The system's notices of the directory, never of the file: those who replace a file, or swap the link
 * that it is reached by, as Kubernetes does, leave a watch of the file itself behind on the old one.
 * Notices may be missing altogether, on network file systems for one, so there is polling beside them.
 */
export function createNotices({ path, pollInterval }: Settings): Notices {
  const watchers = new Map<string, FSWatcher>()
  let wake: (() => void) | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let ended = false

  const soon = (): void => {
    if (timer !== undefined || wake === undefined) return
    timer = setTimeout(() => {
      timer = undefined
      wake?.()
    }, settleTime)
    timer.unref()
  }
  const listen = (directory: string): void => {
    if (watchers.has(directory) || ended) return
    try {
      const watcher = watch(directory, { persistent: false }, soon)
      // The directory has gone, or the system has no more notices to give: polling goes on, and the
      // next look listens anew.
      watcher.on('error', () => {
        watchers.delete(directory)
        watcher.close()
      })
      watchers.set(directory, watcher)
    } catch {
      // Not there yet, or no notices to be had: polling sees it.
    }
  }

  return {
    next() {
      listen(dirname(path))
      listen(path)
      return new Promise((resolve) => {
        if (ended) return resolve()
        const poll = setTimeout(() => wake?.(), pollInterval)
        poll.unref()
        wake = () => {
          wake = undefined
          clearTimeout(poll)
          resolve()
        }
      })
    },
    end() {
      ended = true
      clearTimeout(timer)
      for (const watcher of watchers.values()) watcher.close()
      watchers.clear()
      wake?.()
    },
  }
}
