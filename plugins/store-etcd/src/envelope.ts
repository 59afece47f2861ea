import type { StoreRecord } from '@micro/core/store'
import type { EtcdEntry } from '@micro/etcd-client'

export interface Content {
  readonly value: Uint8Array
  readonly metadata: Readonly<Record<string, string>>
  readonly expiresAt: number | undefined
}

/** What begins an envelope: a byte that no text has, then the format's name. */
const mark = Buffer.from('\0micro1')
const headEnd = 0x0a

/**
 * The bytes as they are, so that every other client of etcd reads and writes plain records. Metadata and
 * expiry, which etcd has no place for, go ahead of them on a line of JSON.
 */
export function encodeContent({ value, metadata, expiresAt }: Content): Buffer {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  const isPlain = expiresAt === undefined && Object.keys(metadata).length === 0
  if (isPlain && !startsWithMark(bytes)) return bytes
  const head = JSON.stringify({ metadata, ...(expiresAt === undefined ? {} : { expiresAt }) })
  return Buffer.concat([mark, Buffer.from(head), Buffer.of(headEnd), bytes])
}

/** What is no proper envelope is taken for plain bytes: somebody else has written it. */
function decodeContent(bytes: Buffer): Content {
  const plain = { value: Uint8Array.from(bytes), metadata: {}, expiresAt: undefined }
  if (!startsWithMark(bytes)) return plain
  const end = bytes.indexOf(headEnd)
  if (end < 0) return plain
  try {
    const head: unknown = JSON.parse(bytes.toString('utf8', mark.length, end))
    return isHead(head)
      ? {
          metadata: { ...head.metadata },
          expiresAt: head.expiresAt,
          value: Uint8Array.from(bytes.subarray(end + 1)),
        }
      : plain
  } catch {
    return plain
  }
}

export function toRecord(root: string, entry: EtcdEntry): StoreRecord {
  return {
    key: entry.key.slice(root.length),
    version: String(entry.modRevision),
    ...decodeContent(entry.value),
  }
}

function isHead(head: unknown): head is Omit<Content, 'value'> {
  if (typeof head !== 'object' || head === null) return false
  const { metadata, expiresAt } = head as Partial<Record<string, unknown>>
  if (typeof metadata !== 'object' || metadata === null) return false
  if (expiresAt !== undefined && !Number.isFinite(expiresAt)) return false
  return Object.values(metadata).every((value) => typeof value === 'string')
}

function startsWithMark(bytes: Buffer): boolean {
  return bytes.subarray(0, mark.length).equals(mark)
}
