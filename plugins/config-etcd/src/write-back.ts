import { parseDocument } from '@micro/config-documents'
import { MicroError } from '@micro/core/errors'
import {
  type EtcdClient,
  type EtcdConnection,
  type KeyRange,
  keysBelow,
  oneKey,
  readRange,
} from '@micro/etcd-client'
import type { DocumentPlace, Settings, TreePlace } from './options.ts'
import { checkValue, isTree, keysOf, withValue } from './values.ts'

type Transaction = Parameters<EtcdClient['kv']['txn']>[0]
type Change = NonNullable<Transaction['success']>[number]
/** etcd compares ranges since 3.3; the types of etcd3 do not know. */
type Compare = NonNullable<Transaction['compare']>[number] & { readonly range_end?: Buffer }

interface Plan {
  /** What nobody may have changed meanwhile. */
  readonly compare: readonly Compare[]
  readonly changes: readonly Change[]
}

type Write = (path: string, value: unknown, signal: AbortSignal | undefined) => Promise<void>

const attempts = 5

export function createWriter(connection: EtcdConnection, place: Settings['place']): Write {
  return async (path, value, signal) => {
    const keys = keysOf(path)
    checkValue(value, path)
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const plan =
        'key' in place
          ? await planDocument(connection, place, keys, value, signal)
          : await planKeys(connection, place, keys, value, signal)
      if (plan.changes.length === 0 || (await commit(connection, plan, signal))) return
    }
    throw new MicroError('aborted', `${path}: others write there all the time; try again`)
  }
}

async function commit(
  connection: EtcdConnection,
  { compare, changes }: Plan,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { succeeded } = await connection.request(
    (client, options) => client.kv.txn({ compare: [...compare], success: [...changes] }, options),
    { signal },
  )
  return succeeded
}

/** Whether nothing in a range was written after `revision`. */
function unchanged({ key, end }: KeyRange, revision: bigint): Compare {
  return {
    key,
    ...(end === undefined ? {} : { range_end: end }),
    target: 'Mod',
    result: 'Less',
    mod_revision: String(revision + 1n),
  }
}

async function planDocument(
  connection: EtcdConnection,
  { key, kind }: DocumentPlace,
  keys: readonly string[],
  value: unknown,
  signal: AbortSignal | undefined,
): Promise<Plan> {
  if (kind === 'toml') {
    throw new MicroError('invalid_argument', `${key}: TOML cannot be written; keep it as YAML`)
  }
  const range = oneKey(key)
  const { entries, position } = await readRange(connection, range, { signal })
  const [entry] = entries
  const compare = [unchanged(range, position.revision)]
  if (keys.length === 0 && value === undefined) {
    return { compare, changes: entry === undefined ? [] : [{ request_delete_range: range }] }
  }
  const before =
    keys.length === 0 || entry === undefined
      ? {}
      : parseDocument(key, kind, entry.value.toString()).values
  const after = keys.length === 0 ? value : withValue(before, keys, value)
  if (!isTree(after)) {
    throw new MicroError('invalid_argument', `${key}: the document must be a tree of keys`)
  }
  // JSON is YAML, too.
  const text = `${JSON.stringify(after, undefined, 2)}\n`
  const changes =
    entry?.value.toString() === text
      ? []
      : [{ request_put: { key: range.key, value: Buffer.from(text) } }]
  return { compare, changes }
}

async function planKeys(
  connection: EtcdConnection,
  place: TreePlace,
  keys: readonly string[],
  value: unknown,
  signal: AbortSignal | undefined,
): Promise<Plan> {
  const { prefix } = place
  const target = prefix + keys.join('/')
  const below = keys.length === 0 ? prefix : `${target}/`
  // A value of its own may be in the way of the tree: `db` of `db.host`.
  const above = keys.map((_, at) => prefix + keys.slice(0, at + 1).join('/'))
  const { entries, position } = await readRange(connection, keysBelow(prefix), { signal })
  const there = new Map(
    entries
      .filter(({ key }) => key.startsWith(below) || above.includes(key))
      .map((entry) => [entry.key, entry]),
  )
  const wanted = new Map<string, Buffer>()
  collect(place, keys, value, wanted)
  const gone = [...there.values()].filter(({ key }) => !wanted.has(key))
  const written = [...wanted].filter(([key, bytes]) => there.get(key)?.value.equals(bytes) !== true)
  return {
    compare: [keysBelow(below), ...above.map(oneKey)].map((range) =>
      unchanged(range, position.revision),
    ),
    changes: [
      ...gone.map(({ key }) => ({ request_delete_range: { key: Buffer.from(key) } })),
      ...written.map(([key, bytes]) => ({
        request_put: { key: Buffer.from(key), value: bytes },
      })),
    ],
  }
}

/** One key for each value that is no tree. */
function collect(
  place: TreePlace,
  keys: readonly string[],
  value: unknown,
  wanted: Map<string, Buffer>,
): void {
  if (value === undefined) return
  if (isTree(value)) {
    for (const [key, inner] of Object.entries(value)) collect(place, [...keys, key], inner, wanted)
    return
  }
  const path = keys.join('.')
  if (keys.length === 0) {
    throw new MicroError('invalid_argument', 'at the top there must be a tree of keys')
  }
  const bad = keys.find((key) => key === '' || key.includes('/'))
  if (bad !== undefined) {
    throw new MicroError('invalid_argument', `${path}: ${JSON.stringify(bad)} is no part of a key`)
  }
  wanted.set(place.prefix + keys.join('/'), Buffer.from(textOf(place, path, value)))
}

function textOf({ values }: TreePlace, path: string, value: unknown): string {
  if (values === 'json') return JSON.stringify(value)
  if (typeof value !== 'object') return String(value)
  throw new MicroError(
    'invalid_argument',
    `${path}: a list or null is no text; set option values to 'json'`,
  )
}
