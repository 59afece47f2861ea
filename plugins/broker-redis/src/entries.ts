import type { BrokerMessage, Delivery } from '@micro/core/broker'

/** Fields that no header can be named like. */
const bodyField = ':body'
const keyField = ':key'
const bodyName = Buffer.from(bodyField)

const noBody = Buffer.alloc(0)

/** An entry of a stream, as it came. */
export interface Entry {
  readonly id: string
  /** One after the other. */
  readonly fields: readonly Buffer[]
}

/** The fields and values of a message, one after the other. */
export function toFields({ body, key, headers }: BrokerMessage): (string | Buffer)[] {
  // Copied, since the publisher may go on using its own while this one waits.
  const fields: (string | Buffer)[] = [bodyField, Buffer.from(body)]
  if (key !== undefined) fields.push(keyField, key)
  for (const name of Object.keys(headers)) fields.push(name, headers[name] ?? '')
  return fields
}

/** Made anew for each delivery, since a handler may keep and change what it gets. */
export function toDelivery(partition: number, { id, fields }: Entry, attempt: number): Delivery {
  const headers: Record<string, string> = {}
  let body: Uint8Array = noBody
  let key: string | undefined
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const value = fields[at + 1] ?? noBody
    if (fields[at]?.equals(bodyName) === true) {
      body = value
      continue
    }
    const name = String(fields[at])
    if (name === keyField) key = value.toString()
    // Others may write to our streams too; such a name would be lost in an object.
    else if (name !== '__proto__') headers[name] = value.toString()
  }
  // Small ones from the pool of Node's, for a quarter of the time of one that has memory of its own.
  const copy = Buffer.from(body)
  return {
    id: `${partition}/${id}`,
    body: new Uint8Array(copy.buffer, copy.byteOffset, copy.length),
    key,
    headers,
    attempt,
    timestamp: Number.parseInt(id, 10),
  }
}

/** As Redis answers. */
export type RawEntry = [id: Buffer, fields: Buffer[], times?: number]

/** Of the one stream that was read: in a pair with its name, by both versions of the protocol. */
export function entriesOf(found: unknown): RawEntry[] {
  const [first, second] = found as [unknown, RawEntry[]]
  return Array.isArray(first) ? (first[1] as RawEntry[]) : second
}
