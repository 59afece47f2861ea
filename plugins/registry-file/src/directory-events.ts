import { type FSWatcher, watch } from 'node:fs'
import { basename } from 'node:path'

/** Listens to the file system, as far as it tells; what it does not tell of, polling finds. */
export interface DirectoryEvents {
  /** Listens to `directory`, unless it does already or cannot. */
  open(directory: string): void
  closeOthers(directories: ReadonlySet<string>): void
  close(): void
}

/** `onEvent` gets a directory and the name in it that has changed; no name: all may have. */
export function createDirectoryEvents(
  onEvent: (directory: string, name: string | undefined) => void,
): DirectoryEvents {
  const watchers = new Map<string, FSWatcher>()
  const forget = (directory: string, watcher: FSWatcher): void => {
    watcher.close()
    if (watchers.get(directory) === watcher) watchers.delete(directory)
  }
  const closeOthers = (directories: ReadonlySet<string>): void => {
    for (const [directory, watcher] of watchers) {
      if (!directories.has(directory)) forget(directory, watcher)
    }
  }

  return {
    open(directory) {
      if (watchers.has(directory)) return
      try {
        const watcher = watch(directory, { persistent: false }, (_type, name) => {
          if (name !== null && name !== basename(directory)) return onEvent(directory, name)
          // The directory itself was removed or moved. One that takes its place needs a new watcher.
          forget(directory, watcher)
          onEvent(directory, undefined)
        })
        watcher.on('error', () => forget(directory, watcher))
        watchers.set(directory, watcher)
      } catch {
        // It is gone again, or the system is out of watches: tried anew at the next look at all.
      }
    },
    closeOthers,
    close: () => closeOthers(new Set()),
  }
}
