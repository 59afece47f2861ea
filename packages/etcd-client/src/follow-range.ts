import type { AbortOptions } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { EtcdConnection } from './connection.ts'
import { type Following, follow } from './follow.ts'
import { type EtcdEntry, type KeyRange, type Position, readChanges, readRange } from './ranges.ts'

export interface FollowRangeOptions {
  readonly range: KeyRange
  /** Milliseconds, more or less a fifth, between looks at all of it. @default 60000 */
  readonly interval?: number
  /** All that is there: at first, and after each outage. */
  readonly onReset: (entries: ReadonlyMap<string, EtcdEntry>) => void
  readonly onPut: (entry: EtcdEntry) => void
  readonly onDelete: (entry: EtcdEntry) => void
  /** At each change of it. */
  readonly onProblem?: (problem: MicroError | undefined) => void
}

/** A range of etcd kept in memory, as it is there. */
export interface FollowedRange extends Following {
  /** As last known, by key. */
  readonly entries: ReadonlyMap<string, EtcdEntry>
  /** What keeps it from being up to date. */
  readonly problem: MicroError | undefined
  /** Looks at all of it now; resolves when `entries` are at least as new as this call. */
  refresh(options?: AbortOptions): Promise<void>
}

/**
 * Reads a range and then watches it from that moment on, for as long as it is not stopped. After an
 * outage, a compaction, or a new beginning of etcd's history it reads all again, and now and then
 * without any, so that no last state is missed.
 */
export function followRange(
  connection: EtcdConnection,
  options: FollowRangeOptions,
): FollowedRange {
  const { range, interval = 60_000, onReset, onPut, onDelete, onProblem } = options
  let entries = new Map<string, EtcdEntry>()
  let current: Position | undefined
  let problem: MicroError | undefined
  let interrupted = true

  const put = (entry: EtcdEntry): void => {
    if (entries.get(entry.key)?.modRevision === entry.modRevision) return
    entries.set(entry.key, entry)
    onPut(entry)
  }
  const remove = (key: string): void => {
    const entry = entries.get(key)
    if (entry === undefined) return
    entries.delete(key)
    onDelete(entry)
  }
  const compare = (found: readonly EtcdEntry[]): void => {
    const keys = new Set(found.map(({ key }) => key))
    for (const key of [...entries.keys()]) if (!keys.has(key)) remove(key)
    for (const entry of found) put(entry)
  }
  const reset = (found: readonly EtcdEntry[]): void => {
    entries = new Map(found.map((entry) => [entry.key, entry]))
    onReset(entries)
  }
  const tell = (next: MicroError | undefined): void => {
    if (next !== undefined) interrupted = true
    if (problem === next) return
    problem = next
    onProblem?.(next)
  }

  /** By what has changed since `base`. `false`, and nothing done, where that cannot be told. */
  const catchUp = async (base: Position, { signal }: AbortOptions): Promise<boolean> => {
    const changes = await readChanges(connection, range, base.revision, { signal }).catch(
      (error: unknown) => {
        if (MicroError.is(error, 'resource_exhausted')) return undefined
        throw error
      },
    )
    if (changes === undefined || interrupted) return false
    const { entries: changed, count, complete, position } = changes
    if (!complete || position.revision < base.revision) return false
    // The watch has been faster.
    if (current !== undefined && position.revision < current.revision) return true
    const added = changed.filter(({ key }) => !entries.has(key)).length
    if (entries.size + added !== count) return false
    for (const entry of changed) put(entry)
    current = position
    return true
  }
  const update = async (updateOptions: AbortOptions): Promise<void> => {
    const base = current
    if (base !== undefined && !interrupted && (await catchUp(base, updateOptions))) return
    const { entries: found, position } = await readRange(connection, range, updateOptions)
    // Revisions of before an outage say nothing: etcd may have lost its data.
    const isSameHistory = !interrupted && base !== undefined && position.revision >= base.revision
    if (isSameHistory && current !== undefined && position.revision < current.revision) return
    current = position
    if (isSameHistory) compare(found)
    else reset(found)
  }

  const following = follow(connection, {
    range,
    interval,
    async begin(previous, signal) {
      if (previous === undefined) interrupted = true
      await update({ signal })
      interrupted = false
      return current as Position
    },
    onEvents(events, position) {
      for (const event of events) {
        // A look at all of it may have been ahead of the watch.
        const revision = event.type === 'put' ? event.entry.modRevision : event.revision
        if (current !== undefined && revision <= current.revision) continue
        if (event.type === 'put') put(event.entry)
        else remove(event.key)
      }
      if (current === undefined || position.revision > current.revision) current = position
    },
    onProblem: tell,
  })

  return {
    ...following,
    get entries() {
      return entries
    },
    get problem() {
      return problem
    },
    async refresh(refreshOptions = {}) {
      await following.started(refreshOptions)
      await update(refreshOptions)
    },
  }
}
