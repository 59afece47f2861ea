/** Slots that keys fall into. */
export const slotCount = 65_536

/**
 * FNV-1a over the UTF-16 code units, low byte first, then mixed: 32 bits, the same everywhere.
 *
 * Source: the IETF draft "The FNV Non-Cryptographic Hash Algorithm".
 */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193)
    if (unit > 0xff) hash = Math.imul(hash ^ (unit >>> 8), 0x01000193)
  }
  return mix(hash)
}

/** MurmurHash3's 32-bit finalizer: every input bit reaches every output bit. Unsigned. */
export function mix(value: number): number {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
