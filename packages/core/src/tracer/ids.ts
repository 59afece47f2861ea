/** Asking for random bytes costs more than using them, so they are asked for by the thousand. */
const pool = new Uint8Array(4_096)
let used = pool.length
const hexOf = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** `bytes` random bytes in lower-case hex, not all zero; 16 at most. */
export function randomHex(bytes: number): string {
  for (;;) {
    if (used + bytes > pool.length) {
      crypto.getRandomValues(pool)
      used = 0
    }
    let hex = ''
    let any = 0
    for (const end = used + bytes; used < end; used++) {
      const byte = pool[used] as number
      any |= byte
      hex += hexOf[byte]
    }
    if (any !== 0) return hex
  }
}
