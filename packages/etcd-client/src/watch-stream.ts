import type { IEvent, IWatchResponse } from 'etcd3'
import type { EtcdConnection } from './connection.ts'
import { type EtcdEntry, entryOf, type KeyRange, type Position, positionOf } from './ranges.ts'

/** A key that has been written or deleted. */
export type EtcdEvent =
  | { readonly type: 'put'; readonly entry: EtcdEntry }
  | { readonly type: 'delete'; readonly key: string; readonly revision: bigint }

export interface WatchStreamOptions {
  readonly range: KeyRange
  /** Tells what has changed behind it. */
  readonly after: Position
  /** Once etcd has promised to tell. */
  readonly onCreated: () => void
  /**
   * In order; what changed together comes together, unless it is too large for a message. `position` is
   * behind the last of them that is complete.
   */
  readonly onEvents: (events: readonly EtcdEvent[], position: Position) => void
  /** Ends it. */
  readonly signal: AbortSignal
}

/**
 * One watch of etcd, for as long as it lasts. Resolves when the signal aborts.
 *
 * @throws `out_of_range` if history behind `after` has been compacted; what `fromEtcd` says.
 */
export async function watchStream(
  connection: EtcdConnection,
  options: WatchStreamOptions,
): Promise<void> {
  const { range, after, onCreated, onEvents, signal } = options
  if (signal.aborted) return
  const { host, timeout } = connection
  const stream = await connection.request(
    (client, { interceptors = [] }) => client.watchClient.watch({ interceptors }),
    { signal },
  )
  let late: ReturnType<typeof setTimeout> | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      late = setTimeout(() => reject(new Error('4 DEADLINE_EXCEEDED: no watch')), timeout)
      signal.addEventListener('abort', () => resolve(), { once: true })
      const take = (answer: IWatchResponse): void => {
        if (signal.aborted) return
        if (answer.canceled) throw canceled(answer)
        if (answer.created) {
          clearTimeout(late)
          onCreated()
          return
        }
        const position = positionOf(answer.header)
        const events = answer.events.map(eventOf)
        const last = answer.events.at(-1)
        // The header may be ahead of the events; without any, it tells that there were none up to it.
        const revision = last === undefined ? position.revision : BigInt(last.kv.mod_revision)
        const complete = answer.fragment ? revision - 1n : revision
        onEvents(events, { ...position, revision: complete })
      }
      stream.on('data', (answer) => {
        // Thrown into the stream it would be lost, and the watch go on without it.
        try {
          take(answer)
        } catch (error) {
          reject(error)
        }
      })
      stream.on('error', reject)
      stream.on('end', () => reject(new Error('14 UNAVAILABLE: the watch has ended')))
      stream.write({
        create_request: {
          key: range.key,
          ...(range.end === undefined ? {} : { range_end: range.end }),
          start_revision: String(after.revision + 1n),
          progress_notify: true,
          fragment: true,
        },
      })
    })
  } catch (cause) {
    throw connection.failure(cause, host)
  } finally {
    clearTimeout(late)
    // Ended before it is cancelled: etcd3 takes the end of an open stream for a failure of the host.
    stream.end()
    stream.cancel()
  }
}

function canceled({ compact_revision: compacted, cancel_reason: reason }: IWatchResponse): Error {
  return new Error(
    compacted === '0'
      ? `14 UNAVAILABLE: the watch was cancelled: ${reason}`
      : '11 OUT_OF_RANGE: the history to watch has been compacted',
  )
}

function eventOf({ type, kv }: IEvent): EtcdEvent {
  return type === 'Put'
    ? { type: 'put', entry: entryOf(kv) }
    : { type: 'delete', key: kv.key.toString(), revision: BigInt(kv.mod_revision) }
}
