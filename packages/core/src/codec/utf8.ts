import { MicroError } from '../errors/micro-error.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** UTF-8. Short texts share memory of Node's pool, which costs a quarter of an `ArrayBuffer` for each. */
export function encodeText(text: string): Uint8Array {
  const { buffer, byteOffset, length } = Buffer.from(text)
  // No `Buffer`, whose `slice` would surprise who takes it for what the type says.
  return new Uint8Array(buffer, byteOffset, length)
}

/** @throws `invalid_argument`, naming `subject`, for bytes that are not UTF-8. */
export function decodeText(bytes: Uint8Array, subject: string): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new MicroError('invalid_argument', `malformed ${subject}: not valid UTF-8`, { cause })
  }
}
