import type { ScalarTag } from 'yaml'

/** Digits of the largest integer that is written and read. */
export const maxDigits = 1_000

export const textTag = 'tag:yaml.org,2002:str'

/** Bytes, as YAML 1.1 and most libraries since have them. The library's own tag loses views' offsets. */
export const binary: ScalarTag = {
  tag: 'tag:yaml.org,2002:binary',
  default: false,
  identify: (value) => value instanceof Uint8Array,
  resolve(text, onError) {
    const base64 = text.replaceAll(/\s/g, '')
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.length % 4 !== 0) {
      onError('!!binary that is not base64')
      return text
    }
    // A copy: a small one would keep a pool of Node's, shared with others.
    return new Uint8Array(Buffer.from(base64, 'base64'))
  },
  stringify({ value }) {
    const bytes = value as Uint8Array
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
    return `"${text}"`
  },
}

/** Numbers whose digits would be read as a bigint, and the zero that would lose its sign. */
export const floatOnly: ScalarTag = {
  tag: 'tag:yaml.org,2002:float',
  default: true,
  identify: (value) =>
    typeof value === 'number' &&
    (Object.is(value, -0) || (Number.isInteger(value) && !Number.isSafeInteger(value))),
  // Matches nothing; without a test the library would prefer its own tags.
  test: /(?!)/,
  resolve: (text) => text,
  stringify: ({ value }) => (value === 0 ? '-0.0' : (value as number).toExponential()),
}

/** The library's tag of texts, but for those that it would change: they are quoted as in JSON. */
export function exactText(tag: ScalarTag): ScalarTag {
  return {
    ...tag,
    stringify(item, ...rest) {
      const text = item.value as string
      if (tag.stringify === undefined || invisible.test(text) || loses(text)) return quoted(text)
      return tag.stringify(item, ...rest)
    },
  }
}

/** Breaks lines in some versions of YAML, is no part of the text, or is forbidden as it is. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const invisible = /[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/

/** A block of lines keeps its spaces in the middle of lines only. */
function loses(text: string): boolean {
  return text.includes('\n') && /^\s|[ \t]\n|\n\n$|[ \t]$/.test(text)
}

function quoted(text: string): string {
  const escaped = (character: string) =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(text).replaceAll(new RegExp(invisible, 'g'), escaped)
}
