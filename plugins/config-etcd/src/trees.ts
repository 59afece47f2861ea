import { parseDocument } from '@micro/config-documents'
import { type ConfigTree, parseText, placeValue } from '@micro/core/config'
import { MicroError } from '@micro/core/errors'
import type { EtcdEntry, KeyRange } from '@micro/etcd-client'
import { keysBelow, oneKey } from '@micro/etcd-client'
import type { DocumentPlace, Settings, TreePlace } from './options.ts'

type Place = Settings['place']

export function rangeOf(place: Place): KeyRange {
  return 'key' in place ? oneKey(place.key) : keysBelow(place.prefix)
}

/** For people. */
export function nameOf(place: Place): string {
  return 'key' in place ? place.key : place.prefix
}

/**
 * What entries of etcd say.
 *
 * @throws `invalid_argument` naming the key; `unavailable` where a document is missing.
 */
export function treeOf(place: Place, entries: readonly EtcdEntry[]): ConfigTree {
  return 'key' in place ? documentTree(place, entries[0]) : keysTree(place, entries)
}

function documentTree({ key, kind, optional }: DocumentPlace, entry?: EtcdEntry): ConfigTree {
  if (entry === undefined) {
    if (optional) return { values: {}, origins: { '': key } }
    throw new MicroError(
      'unavailable',
      `${key} is not there: put a document, or set option optional`,
    )
  }
  const { values, lines } = parseDocument(key, kind, entry.value.toString())
  const origins = Object.fromEntries([...lines].map(([path, line]) => [path, `${key}:${line}`]))
  return { values, origins: { ...origins, '': key } }
}

function keysTree(place: TreePlace, entries: readonly EtcdEntry[]): ConfigTree {
  const { prefix, maxKeys } = place
  if (entries.length > maxKeys) {
    throw new MicroError(
      'invalid_argument',
      `${prefix} has ${entries.length} keys: give a longer prefix, or raise option maxKeys`,
    )
  }
  const values: Record<string, unknown> = {}
  const origins: Record<string, string> = { '': prefix }
  for (const entry of entries) {
    const keys = entry.key.slice(prefix.length).split('/')
    if (keys.includes('')) {
      throw new MicroError(
        'invalid_argument',
        `${entry.key}: there is nothing before, between or behind "/"`,
      )
    }
    placeValue(values, keys, readValue(place, keys, entry), entry.key)
    origins[keys.join('.')] = entry.key
  }
  return { values, origins }
}

function readValue(
  { values, view }: TreePlace,
  keys: readonly string[],
  entry: EtcdEntry,
): unknown {
  const text = entry.value.toString()
  if (values === 'text') return parseText(text, keys, view)
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes the text, which may be a secret.
    throw new MicroError(
      'invalid_argument',
      `${entry.key} is no valid JSON: write "text" with the quotes, or leave out option values`,
    )
  }
}
