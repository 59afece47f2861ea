import type { LaneRecord } from '@micro/kafka-broker'
import type { RecordsBatch } from '@platformatic/kafka'

interface Fetched {
  readonly records?: readonly RecordsBatch[] | null
  readonly abortedTransactions:
    | readonly { readonly producerId: bigint; readonly firstOffset: bigint }[]
    | null
}

const isTransactional = 1 << 4
const isControl = 1 << 5
const hasAppendTime = 1 << 3
const abortMark = 0

/**
 * The records of a partition that are messages, and the offset after all of them. Left out are marks of
 * transactions, and what belongs to transactions that were aborted.
 */
export function decode(fetched: Fetched): {
  readonly records: LaneRecord[]
  readonly next: number | undefined
} {
  const found: LaneRecord[] = []
  let next: number | undefined
  const aborted = (fetched.abortedTransactions ?? []).toSorted((a, b) =>
    Number(a.firstOffset - b.firstOffset),
  )
  /** Producers whose transaction, up to its mark, was aborted. */
  const inAborted = new Set<bigint>()
  for (const batch of fetched.records ?? []) {
    const { attributes, producerId } = batch
    const base = Number(batch.firstOffset)
    const last = base + batch.lastOffsetDelta
    next = last + 1
    for (let [one] = aborted; one !== undefined && one.firstOffset <= last; [one] = aborted) {
      inAborted.add(one.producerId)
      aborted.shift()
    }
    if ((attributes & isControl) !== 0) {
      if (batch.records[0]?.key?.readInt16BE(2) === abortMark) inAborted.delete(producerId)
      continue
    }
    if ((attributes & isTransactional) !== 0 && inAborted.has(producerId)) continue
    const first = Number(batch.firstTimestamp)
    const appendedAt = (attributes & hasAppendTime) === 0 ? undefined : Number(batch.maxTimestamp)
    for (const { offsetDelta, timestampDelta, key, value, headers } of batch.records) {
      found.push({
        offset: base + offsetDelta,
        key,
        value,
        headers,
        timestamp: appendedAt ?? first + Number(timestampDelta),
      })
    }
  }
  return { records: found, next }
}
