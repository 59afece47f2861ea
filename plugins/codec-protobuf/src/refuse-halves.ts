import type { Message } from '@bufbuild/protobuf'

/**
 * Refuses text with half of a surrogate pair: as binary it would arrive as another text, as JSON
 * nobody would read it. The message is looked through only where what was written of it has signs
 * of one: U+FFFD in binary, an escape in JSON.
 */
export function refuseHalves(message: Message, written: Uint8Array | string): void {
  const signs = typeof written === 'string' ? written.includes('\\ud') : hasReplacement(written)
  const path = signs ? pathOfHalf(message) : undefined
  if (path !== undefined) throw new Error(`the text${path} has half of a surrogate pair`)
}

function hasReplacement(bytes: Uint8Array): boolean {
  for (let at = bytes.indexOf(0xef); at !== -1; at = bytes.indexOf(0xef, at + 1)) {
    if (bytes[at + 1] === 0xbf && bytes[at + 2] === 0xbd) return true
  }
  return false
}

/** ` fields.name`, from the message on. */
function pathOfHalf(value: unknown): string | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : ''
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return undefined
  for (const [key, inner] of Object.entries(value)) {
    const path = key.isWellFormed() ? pathOfHalf(inner) : ''
    if (path !== undefined) return ` ${key.toWellFormed()}${path.replace(' ', '.')}`
  }
  return undefined
}
