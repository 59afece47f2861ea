import { jitter, unrefTimer } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import type { SqliteFile } from '@micro/sqlite-file'
import { removeLapsed } from './changes.ts'
import type { Settings } from './options.ts'
import type { Row, Statements } from './records.ts'

/** Removes records whose time is over. Readers never see those, so it need not be punctual. */
export interface Sweeper {
  start(): void
  stop(): void
}

const pageSize = 256

/**
 * Each process looks, which takes a few microseconds and no lock; the first to see a record that has
 * lapsed removes it, and the others find nothing any more.
 */
export function createSweeper(file: SqliteFile<Statements>, settings: Settings): Sweeper {
  let timer: ReturnType<typeof setTimeout> | undefined
  let stopped = false

  const sweep = async (): Promise<void> => {
    while (!stopped) {
      const rows = await file.read(
        (statements) =>
          statements.lapsed.all(Date.now(), pageSize) as unknown as Pick<Row, 'key'>[],
      )
      if (rows.length === 0) return
      const keys = rows.map(({ key }) => key)
      // After a loss of power they lapse once more.
      await file.change((statements) => removeLapsed(statements, keys, settings), { relaxed: true })
    }
  }
  const arm = (): void => {
    if (stopped) return
    timer = unrefTimer(
      setTimeout(() => {
        // A failure stands in the health of the file, and the next round tries again.
        sweep().then(arm, arm)
      }, jitter(settings.sweepInterval)),
    )
  }
  return {
    start: () => runInRoot(arm),
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}
