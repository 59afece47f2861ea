import { randomUUID } from 'node:crypto'
import type { BrokerMessage, Delivery } from '@micro/core/broker'
import { type Msg, type MsgHdrs, headers as makeHeaders } from '@nats-io/transport-node'

/** Headers of others are of small letters, so that these are nobody else's. */
const keyHeader = 'Micro-Key'
/** By which the server knows a message that it has been sent before. */
const idHeader = 'Nats-Msg-Id'

/** The headers of a message. Sent again, it has to have the same. */
export function toHeaders({ key, headers }: BrokerMessage): MsgHdrs {
  const made = makeHeaders()
  made.set(idHeader, randomUUID())
  // A key may be of any characters, and a header may not.
  if (key !== undefined) made.set(keyHeader, encodeURIComponent(key))
  for (const name of Object.keys(headers)) made.set(name, quote(headers[name] ?? ''))
  return made
}

/** What comes with a message of JetStream, in its reply subject. */
export interface Origin {
  /** No other message has it, even of a stream of the same name that was made anew. */
  readonly id: string
  readonly sequence: number
  readonly attempt: number | undefined
  readonly timestamp: number | undefined
}

export function toDelivery({ headers, data }: Msg, origin: Origin | undefined): Delivery {
  const own: Record<string, string> = {}
  let key: string | undefined
  let id: string | undefined
  for (const name of headers?.keys() ?? []) {
    const value = headers?.last(name) ?? ''
    if (name === keyHeader) key = decode(value)
    else if (name === idHeader) id = value
    // Others may publish here too; such a name would be lost in an object.
    else if (!name.startsWith('Nats-') && name !== '__proto__') own[name] = unquote(value)
  }
  return {
    id: origin?.id ?? id ?? randomUUID(),
    // Copied, since a handler may keep and change what it gets, and it may be delivered again.
    body: new Uint8Array(data),
    key,
    headers: own,
    attempt: origin?.attempt,
    timestamp: origin?.timestamp,
  }
}

/**
 * The reply subject of JetStream, of an older server or of one with domains:
 * `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`, or with domain
 * and account before the stream and a token at the end.
 */
export function toOrigin(reply: string): Origin | undefined {
  const tokens = reply.split('.')
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK' || tokens.length < 9) return undefined
  const at = tokens.length === 9 ? 4 : 6
  return {
    id: `${tokens[at + 1]}-${tokens[at + 3]}`,
    attempt: Number(tokens[at]),
    sequence: Number(tokens[at + 1]),
    // Nanoseconds are more than a number holds.
    timestamp: Number((tokens[at + 3] ?? '').slice(0, -6)),
  }
}

/** Clients cut spaces off the ends of values, so those that have some are put in quotes. */
function quote(value: string): string {
  return value.startsWith('"') || value !== value.trim() ? `"${value}"` : value
}

function unquote(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"')
    ? value.slice(1, -1)
    : value
}

function decode(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}
