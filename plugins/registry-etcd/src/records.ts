import type { Node } from '@micro/core/registry'
import type { EtcdEntry } from '@micro/etcd-client'
import { type Layout, placeOf } from './layout.ts'
import type { Settings } from './options.ts'

/** Reads records, and remembers which of them are none. */
export interface RecordReader {
  /** The node of a record; `undefined` for one that is passed over. */
  read(entry: EtcdEntry): Node | undefined
  /** One sentence about what is passed over; `undefined` where nothing is. */
  readonly complaint: string | undefined
  /** A record has gone, or been replaced by another. */
  forget(key: string): void
}

/** So many are remembered; a namespace that is full of something else must not fill the memory. */
const mostRemembered = 1_000

export function createRecordReader(
  layout: Layout,
  { maxRecordSize, onInvalid }: Pick<Settings, 'maxRecordSize' | 'onInvalid'>,
): RecordReader {
  const invalid = new Map<string, bigint>()

  const complain = (entry: EtcdEntry, why: string): undefined => {
    if (invalid.get(entry.key) === entry.modRevision) return
    if (invalid.size < mostRemembered) invalid.set(entry.key, entry.modRevision)
    onInvalid({ key: entry.key, why })
  }

  return {
    read(entry) {
      const place = placeOf(layout, entry.key)
      // Another namespace may lie within this one.
      if (place === undefined) return undefined
      if (entry.value.length > maxRecordSize) {
        return complain(entry, `${entry.value.length} bytes, more than option maxRecordSize allows`)
      }
      const node = layout.decode(entry.value.toString())
      if (node === undefined) return complain(entry, 'it is no record of a node')
      // A copy, or a node that poses as another.
      if (node.service !== place.service || node.id !== place.id) {
        return complain(entry, 'it is the record of another node')
      }
      invalid.delete(entry.key)
      return node
    },
    get complaint() {
      const [first] = invalid.keys()
      return first === undefined
        ? undefined
        : `${invalid.size} records are passed over, such as ${first}`
    },
    forget(key) {
      invalid.delete(key)
    },
  }
}
