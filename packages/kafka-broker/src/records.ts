import type { Delivery } from '@micro/core/broker'

/** A message as it comes from Kafka. */
export interface LaneRecord {
  readonly offset: string | number
  readonly key: Buffer | null
  /** Absent from what others publish as a deletion. */
  readonly value: Buffer | null
  /** By name, or in pairs. */
  readonly headers?: Readonly<Record<string, unknown>> | HeaderPairs | undefined
  readonly timestamp: string | number
}

type HeaderPairs = readonly (readonly [name: Buffer | null, value: Buffer | null])[]

const noHeaders: Readonly<Record<string, string>> = Object.freeze({})

/** Copies, since a handler may keep and change what it gets, and what was fetched is let go as a whole. */
export function toDeliveries(partition: number, records: readonly LaneRecord[]): Delivery[] {
  let size = 0
  for (const { value } of records) size += value?.length ?? 0
  // One for all of them: to ask for each is what costs.
  const bytes = new Uint8Array(size)
  let at = 0
  let text: string | number = ''
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
  if (isPairs(headers)) return textsOfPairs(headers)
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

function isPairs(headers: LaneRecord['headers']): headers is HeaderPairs {
  return Array.isArray(headers)
}

function textsOfPairs(pairs: HeaderPairs): Readonly<Record<string, string>> {
  if (pairs.length === 0) return noHeaders
  const texts: Record<string, string> = {}
  for (const [name, value] of pairs) {
    if (name !== null && value !== null) texts[name.toString()] = value.toString()
  }
  return texts
}

export function sizeOf(records: readonly LaneRecord[]): number {
  let size = 0
  for (const { key, value } of records) size += 100 + (key?.length ?? 0) + (value?.length ?? 0)
  return size
}
