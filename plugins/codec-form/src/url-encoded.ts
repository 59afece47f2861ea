import { cannot, malformed, short } from './errors.ts'
import type { Assembly, Field } from './fields.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function writeUrlEncoded(fields: readonly Field[]): Uint8Array {
  if (fields.length === 0)
    throw cannot('', 'no field at all; give undefined, or use multipart/form-data')
  const pairs = new URLSearchParams()
  for (const { name, value } of fields) {
    if (typeof value !== 'string') throw cannot(name, 'a file, which needs multipart/form-data')
    pairs.append(name, value)
  }
  return encoder.encode(pairs.toString())
}

/** Stricter than browsers' own: broken escapes and bytes that are no text are refused, not replaced. */
export function readUrlEncoded(bytes: Uint8Array, assembly: Assembly): void {
  const text = decoded(() => decoder.decode(bytes), 'it is not valid UTF-8')
  let start = 0
  // Pair by pair, so that the limit ends it before the millionth is made.
  while (start <= text.length) {
    const found = text.indexOf('&', start)
    const end = found === -1 ? text.length : found
    if (end > start) assembly.add(pair(text.slice(start, end)))
    start = end + 1
  }
}

function pair(part: string): Field {
  const equals = part.indexOf('=')
  const name = equals === -1 ? part : part.slice(0, equals)
  const value = equals === -1 ? '' : part.slice(equals + 1)
  return { name: unescaped(name, name), value: unescaped(value, name) }
}

function unescaped(part: string, name: string): string {
  return decoded(
    () => decodeURIComponent(part.replaceAll('+', ' ')),
    `${short(name)}: a broken escape`,
  )
}

function decoded(work: () => string, why: string): string {
  try {
    return work()
  } catch (cause) {
    throw malformed(why, cause)
  }
}
