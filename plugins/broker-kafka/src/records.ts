import type { Delivery } from '@micro/core/broker'

/** A message as it comes from Kafka. */
export interface LaneRecord {
  readonly offset: string
  readonly key: Buffer | null
  /** Absent from what others publish as a deletion. */
  readonly value: Buffer | null
  readonly headers?: Readonly<Record<string, unknown>> | undefined
  readonly timestamp: string
}

const noHeaders: Readonly<Record<string, string>> = Object.freeze({})

/** Copies, since a handler may keep and change what it gets, and what was fetched is let go as a whole. */
export function toDeliveries(partition: number, records: readonly LaneRecord[]): Delivery[] {
  let size = 0
  for (const { value } of records) size += value?.length ?? 0
  // One for all of them: to ask for each is what costs.
  const bytes = new Uint8Array(size)
  let at = 0
  let text = ''
  let time = 0
  return records.map((record) => {
    const { key, value, offset, timestamp } = record
    const start = at
    if (timestamp !== text) {
      // Most have the time of the one before.
      text = timestamp
      time = Number(timestamp)
    }
    if (value !== null) {
      bytes.set(value, start)
      at += value.length
    }
    return {
      id: `${partition}-${offset}`,
      body: new Uint8Array(bytes.buffer, start, at - start),
      key: key === null || key.length === 0 ? undefined : key.toString(),
      headers: textsOf(record.headers),
      timestamp: time,
    }
  })
}

/** Of a header that comes more than once, the last. */
function textsOf(headers: LaneRecord['headers']): Readonly<Record<string, string>> {
  let texts: Record<string, string> | undefined
  for (const name in headers) {
    texts ??= {}
    const given = headers[name]
    const value: unknown = Array.isArray(given) ? given.at(-1) : given
    if (Buffer.isBuffer(value)) texts[name] = value.toString()
    else if (typeof value === 'string') texts[name] = value
  }
  return texts ?? noHeaders
}

export function sizeOf(records: readonly LaneRecord[]): number {
  let size = 0
  for (const { key, value } of records) size += 100 + (key?.length ?? 0) + (value?.length ?? 0)
  return size
}
