import type { Partition } from './client.ts'

let next = 0

/** By the key as Kafka's own clients do, so that others find the same partition; without one, in turn. */
export function choosePartition(partitions: readonly Partition[], key: Buffer | null): number {
  if (key === null) {
    next = (next + 1) % partitions.length
    return partitions[next]?.partitionId ?? 0
  }
  return (murmur2(key) & 0x7fff_ffff) % partitions.length
}

/** MurmurHash2 by Austin Appleby, with the seed that Kafka's clients use. */
function murmur2(bytes: Uint8Array): number {
  const m = 0x5bd1_e995
  const rest = bytes.length & 3
  const whole = bytes.length - rest
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let hash = 0x9747_b28c ^ bytes.length
  for (let at = 0; at < whole; at += 4) {
    let word = Math.imul(view.getInt32(at, true), m)
    word = Math.imul(word ^ (word >>> 24), m)
    hash = Math.imul(hash, m) ^ word
  }
  if (rest > 0) {
    for (let at = rest - 1; at >= 0; at--) hash ^= view.getUint8(whole + at) << (8 * at)
    hash = Math.imul(hash, m)
  }
  hash = Math.imul(hash ^ (hash >>> 13), m)
  return hash ^ (hash >>> 15)
}
