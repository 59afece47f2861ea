/** Printable ASCII but the percent sign stands for itself. Source: grpc/grpc, doc/PROTOCOL-HTTP2.md. */
const plain = /^[\x20-\x24\x26-\x7e]*$/

/** Text as `grpc-message` holds it: other bytes of its UTF-8 are written as `%E2`. */
export function encodePercent(text: string): string {
  if (plain.test(text)) return text
  let encoded = ''
  for (const byte of Buffer.from(text)) {
    const stands = byte >= 0x20 && byte <= 0x7e && byte !== 0x25
    encoded += stands
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}

/** The text; what is no such encoding stays as it came. */
export function decodePercent(encoded: string): string {
  if (!encoded.includes('%')) return encoded
  const bytes: number[] = []
  for (let at = 0; at < encoded.length; at++) {
    const hex = encoded.slice(at + 1, at + 3)
    if (encoded[at] === '%' && /^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes.push(Number.parseInt(hex, 16))
      at += 2
    } else bytes.push(encoded.charCodeAt(at))
  }
  return Buffer.from(bytes).toString()
}
