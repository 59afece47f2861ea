/** `bytes` random bytes in lower-case hex, not all zero. */
export function randomHex(bytes: number): string {
  for (;;) {
    let hex = ''
    for (const byte of crypto.getRandomValues(new Uint8Array(bytes))) {
      hex += byte.toString(16).padStart(2, '0')
    }
    if (!/^0+$/.test(hex)) return hex
  }
}
