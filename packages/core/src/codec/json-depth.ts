/** What a byte of JSON means for the depth. */
const meanings = new Uint8Array(256)
const quote = 1
const opening = 2
const closing = 3
meanings[0x22] = quote
for (const character of '[{') meanings[character.charCodeAt(0)] = opening
for (const character of ']}') meanings[character.charCodeAt(0)] = closing

const backslash = 0x5c

/**
 * Whether JSON is nested deeper than `limit` levels, known before it is parsed: two bytes for each level
 * would else be time and memory for whoever sends them. What is no JSON has no depth: any answer will do.
 *
 * @param text The same as `bytes`.
 */
export function isDeeperThan(limit: number, bytes: Uint8Array, text: string): boolean {
  // Depth d needs 2d characters, and d that open something: most messages need no further look.
  return bytes.length >= 2 * limit && opensMoreThan(limit, text) && depthExceeds(limit, bytes)
}

/** By native search, which is ten times as fast as to look at each character. */
function opensMoreThan(limit: number, text: string): boolean {
  let count = 0
  for (const character of '[{') {
    for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) {
      count += 1
      if (count > limit) return true
    }
  }
  return false
}

function depthExceeds(limit: number, bytes: Uint8Array): boolean {
  const { length } = bytes
  let depth = 0
  for (let at = 0; at < length; at++) {
    const meaning = meanings[bytes[at] as number]
    if (meaning === 0) continue
    if (meaning === closing) {
      depth -= 1
    } else if (meaning === opening) {
      depth += 1
      if (depth > limit) return true
    } else {
      for (at++; at < length; at++) {
        const byte = bytes[at] as number
        if (byte === backslash) at++
        else if (meanings[byte] === quote) break
      }
    }
  }
  return false
}
