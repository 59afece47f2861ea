import { MicroError } from '../errors/micro-error.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text)
}

/** @throws `invalid_argument`, naming `subject`, for bytes that are not UTF-8. */
export function decodeText(bytes: Uint8Array, subject: string): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new MicroError('invalid_argument', `malformed ${subject}: not valid UTF-8`, { cause })
  }
}
