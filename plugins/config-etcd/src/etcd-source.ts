import { type AbortOptions, abortable, createLifecycle } from '@micro/core/component'
import type { ConfigSource, ConfigTree } from '@micro/core/config'
import { MicroError } from '@micro/core/errors'
import {
  createConnection,
  type EtcdEntry,
  type FollowedRange,
  followRange,
  readRange,
} from '@micro/etcd-client'
import { type EtcdSourceOptions, settle } from './options.ts'
import { nameOf, rangeOf, treeOf } from './trees.ts'
import { createWriter } from './write-back.ts'

export interface EtcdConfigSource extends ConfigSource {
  /**
   * Writes back: from now on the source says `value` at `path`, and nothing else below it; `undefined`
   * removes what is there. The empty path is all of it. All of it is written at once, or nothing.
   *
   * @param path Keys joined with dots: `db.host`.
   * @throws `invalid_argument` for what cannot be written; `aborted` if others write there all the time;
   * `resource_exhausted` for more at once than etcd takes.
   */
  write(path: string, value: unknown, options?: AbortOptions): Promise<void>
}

/**
 * What etcd says below a prefix, or in one document.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function etcdSource(options: EtcdSourceOptions): EtcdConfigSource {
  const settings = settle(options)
  const { place, interval } = settings
  const label = `config source "etcd" (${nameOf(place)})`
  const connection = createConnection(settings.etcd, label)
  const write = createWriter(connection, place)
  const closing = new AbortController()
  const follows = new Set<FollowedRange>()
  let fault: MicroError | undefined
  let saidSomething = false
  const lifecycle = createLifecycle({
    label,
    close() {
      closing.abort(new MicroError('failed_precondition', 'config source is closed'))
      for (const followed of follows) followed.stop()
      connection.close()
    },
  })

  const read = (entries: readonly EtcdEntry[]): ConfigTree => {
    try {
      saidSomething = entries.length > 0
      const tree = treeOf(place, entries)
      fault = undefined
      return tree
    } catch (error) {
      if (MicroError.is(error)) fault = error
      throw error
    }
  }

  return {
    name: 'etcd',
    contract: 'config/0',
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health() {
      if (lifecycle.closed) return { status: 'down' }
      const troubled = [...follows].find(({ problem }) => problem !== undefined)
      const problem = troubled?.problem ?? connection.problem ?? fault
      return problem === undefined
        ? { status: 'up' }
        : { status: 'degraded', detail: problem.detail }
    },
    async load(loadOptions) {
      await lifecycle.connect(loadOptions)
      const signal = loadOptions?.signal
      signal?.throwIfAborted()
      const { entries } = await readRange(connection, rangeOf(place), { signal })
      return read(entries)
    },
    /** An outage does not end it: it goes on with what is there then. Only the first attempt may fail. */
    async *watch(watchOptions): AsyncGenerator<ConfigTree> {
      await lifecycle.connect(watchOptions)
      const outer = watchOptions?.signal
      const signal = outer === undefined ? closing.signal : AbortSignal.any([outer, closing.signal])
      let changed = Promise.withResolvers<void>()
      let isNew = true
      let isLost = false
      const tell = (): void => {
        isNew = true
        isLost = false
        changed.resolve()
      }
      const followed = followRange(connection, {
        range: rangeOf(place),
        interval,
        onReset(entries) {
          tell()
          // Nobody was seen to delete it: an etcd that has lost its data does not turn all settings off.
          isLost = saidSomething && entries.size === 0
        },
        onPut: tell,
        onDelete: tell,
      })
      follows.add(followed)
      try {
        await followed.started({ signal })
        for (let told = ''; ; ) {
          if (!isNew) await abortable(changed.promise, signal)
          signal.throwIfAborted()
          isNew = false
          changed = Promise.withResolvers()
          const entries = [...followed.entries.values()]
          const tree = isLost
            ? { values: {}, error: lost(place) }
            : treeOrError(() => read(entries))
          if (isLost) fault = tree.error
          const text = JSON.stringify([tree.values, tree.origins, tree.error?.detail])
          if (text === told) continue
          told = text
          yield tree
        }
      } catch (error) {
        // Closed, or nobody listens any more.
        if (!signal.aborted) throw error
      } finally {
        follows.delete(followed)
        followed.stop()
      }
    },
    async write(path, value, writeOptions) {
      await lifecycle.connect(writeOptions)
      writeOptions?.signal?.throwIfAborted()
      await write(path, value, writeOptions?.signal)
    },
  }
}

/** What cannot be read is told of, and the watch goes on. */
function treeOrError(read: () => ConfigTree): ConfigTree {
  try {
    return read()
  } catch (error) {
    if (MicroError.is(error)) return { values: {}, error }
    throw error
  }
}

function lost(place: Parameters<typeof nameOf>[0]): MicroError {
  return new MicroError(
    'unavailable',
    `${nameOf(place)} has nothing any more: etcd has lost it, or it was deleted in an outage`,
  )
}
