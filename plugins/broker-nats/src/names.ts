import { createHash } from 'node:crypto'

/** Names in NATS may not have dots, which topics and groups may; these have no tilde. */
export interface Names {
  stream(topic: string): string
  /** What all messages of a topic match. */
  subjects(topic: string): string
  subject(topic: string, lane: number): string
}

/** Files of a server are named after streams and consumers. */
const longest = 180

export function namesIn(namespace: string): Names {
  const base = (topic: string): string => `${namespace}.${escapeDots(topic)}`
  return {
    stream: (topic) => shorten(`${namespace}~~${escapeDots(topic)}`),
    subjects: (topic) => `${base(topic)}.*`,
    subject: (topic, lane) => `${base(topic)}.${lane}`,
  }
}

/** Without a lane, the one consumer of a group that keeps no order. */
export function consumerName(group: string, lane: number | undefined): string {
  return `${shorten(escapeDots(group))}~${lane ?? 'all'}`
}

/**
 * The lane of a key: FNV-1a over its UTF-8 bytes, mixed by MurmurHash3's 32-bit finalizer, modulo the
 * number of lanes. Frozen: publishers of all versions must agree.
 *
 * Source: the IETF draft "The FNV Non-Cryptographic Hash Algorithm".
 */
export function laneOf(key: string, lanes: number): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(key)) hash = Math.imul(hash ^ byte, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) % lanes
}

function escapeDots(name: string): string {
  return name.replaceAll('.', '~')
}

function shorten(name: string): string {
  if (name.length <= longest) return name
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 32)
  return `${name.slice(0, longest - 33)}~${digest}`
}
