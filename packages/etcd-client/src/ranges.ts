import type { AbortOptions } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { IKeyValue, IResponseHeader } from 'etcd3'
import type { EtcdConnection } from './connection.ts'

/** Keys from `key` on, and before `end`; without `end` the one key. */
export interface KeyRange {
  readonly key: Buffer
  readonly end?: Buffer
}

/** One key with its value. */
export interface EtcdEntry {
  readonly key: string
  readonly value: Buffer
  /** When it was last written: greater than that of every earlier write to any key. */
  readonly modRevision: bigint
  /** When it was created; the same until it is deleted. */
  readonly createRevision: bigint
  /** Id of the lease that it ends with; `'0'` for none. */
  readonly lease: string
}

/** A place in etcd's history. */
export interface Position {
  readonly revision: bigint
  readonly clusterId: string
  readonly term: bigint
}

export interface PageOptions extends AbortOptions {
  /** At most this many entries; fewer where an answer would be too large. @default 1000 */
  readonly limit?: number
  /** As it was then. @default now */
  readonly revision?: bigint | undefined
  /** Leaves the values away. @default false */
  readonly keysOnly?: boolean
}

export interface Page {
  readonly entries: readonly EtcdEntry[]
  /** Whether there are more behind. */
  readonly more: boolean
  /** Where etcd was when it answered, not the revision asked for. */
  readonly position: Position
}

export function oneKey(key: string): KeyRange {
  return { key: Buffer.from(key) }
}

/** All keys that begin with `prefix`, behind `after` if that is given. */
export function keysBelow(prefix: string, after?: string): KeyRange {
  const start = Buffer.from(prefix)
  const end = Buffer.from(start)
  // UTF-8 has no byte 0xff, so that there is always a next one.
  if (end.length > 0) end.writeUInt8(end.readUInt8(end.length - 1) + 1, end.length - 1)
  const behind = after === undefined ? undefined : Buffer.from(`${after}\0`)
  const isLater = behind !== undefined && Buffer.compare(behind, start) > 0
  return {
    key: isLater ? behind : start.length === 0 ? Buffer.from([0]) : start,
    end: end.length === 0 ? Buffer.from([0]) : end,
  }
}

/**
 * Reads the first entries of a range, in order of their keys' bytes.
 *
 * @throws `out_of_range` if `revision` has been compacted.
 */
export async function readPage(
  connection: EtcdConnection,
  range: KeyRange,
  options: PageOptions = {},
): Promise<Page> {
  const { revision, keysOnly = false, signal } = options
  for (let limit = options.limit ?? 1_000; ; limit = Math.ceil(limit / 8)) {
    try {
      const answer = await connection.request(
        (client, callOptions) =>
          client.kv.range(
            {
              key: range.key,
              ...(range.end === undefined ? {} : { range_end: range.end }),
              ...(revision === undefined ? {} : { revision: String(revision) }),
              limit,
              keys_only: keysOnly,
            },
            callOptions,
          ),
        { signal, repeatable: true },
      )
      return {
        entries: answer.kvs.map(entryOf),
        more: answer.more,
        position: positionOf(answer.header),
      }
    } catch (error) {
      if (!MicroError.is(error, 'resource_exhausted') || limit === 1) throw error
    }
  }
}

/** Reads a range as it was at one moment. */
export async function readRange(
  connection: EtcdConnection,
  range: KeyRange,
  options: AbortOptions = {},
): Promise<{ readonly entries: readonly EtcdEntry[]; readonly position: Position }> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readPages(connection, range, options)
    } catch (error) {
      // Compacted between two pages: once more, from the first.
      if (!MicroError.is(error, 'out_of_range') || attempt >= 5) throw error
    }
  }
}

/** What has changed in a range. */
export interface Changes {
  /** Written after the revision that was asked for. */
  readonly entries: readonly EtcdEntry[]
  /** Whether these are all of them. */
  readonly complete: boolean
  /** How many keys there are in all; fewer than expected if some have been deleted. */
  readonly count: number
  readonly position: Position
}

/** Most changes that are read so; for more, all is read. */
const mostChanges = 500

/**
 * Looks what was written in a range after `revision`. Where that is nothing, next to nothing is sent,
 * however large the range.
 */
export async function readChanges(
  connection: EtcdConnection,
  range: KeyRange,
  revision: bigint,
  { signal }: AbortOptions = {},
): Promise<Changes> {
  const bounds = { key: range.key, ...(range.end === undefined ? {} : { range_end: range.end }) }
  const success = [
    {
      request_range: {
        ...bounds,
        min_mod_revision: String(revision + 1n),
        limit: mostChanges,
      },
    },
    { request_range: { ...bounds, count_only: true } },
  ]
  const { header, responses } = await connection.request(
    (client, callOptions) => client.kv.txn({ success }, callOptions),
    { signal, repeatable: true },
  )
  const [changed, counted] = responses
  return {
    entries: (changed?.response_range.kvs ?? []).map(entryOf),
    complete: changed?.response_range.more === false,
    count: Number(counted?.response_range.count ?? 0),
    position: positionOf(header),
  }
}

async function readPages(connection: EtcdConnection, range: KeyRange, { signal }: AbortOptions) {
  const first = await readPage(connection, range, { signal })
  const entries = [...first.entries]
  let { more } = first
  while (more) {
    const last = entries.at(-1)
    const rest = { ...range, key: Buffer.from(`${last?.key ?? ''}\0`) }
    const page = await readPage(connection, rest, { signal, revision: first.position.revision })
    entries.push(...page.entries)
    more = page.more
  }
  return { entries, position: first.position }
}

export function entryOf(kv: IKeyValue): EtcdEntry {
  return {
    key: kv.key.toString(),
    value: kv.value,
    modRevision: BigInt(kv.mod_revision),
    createRevision: BigInt(kv.create_revision),
    lease: kv.lease,
  }
}

export function positionOf(header: IResponseHeader): Position {
  return {
    revision: BigInt(header.revision),
    clusterId: header.cluster_id,
    term: BigInt(header.raft_term),
  }
}
