/** Digits of the largest integer that is written and read. */
export const maxDigits = 1_000

export interface Scalar {
  /** `m:type`; none for a text. */
  readonly type?: string
  readonly text: string
}

/** A value that is no object and no array, as text. */
export function toText(value: unknown): Scalar {
  if (typeof value === 'string') return { text: value }
  if (value === null) return { type: 'null', text: '' }
  if (typeof value === 'number') return { type: 'number', text: numberText(value) }
  if (value instanceof Date) return { type: 'date', text: value.toISOString() }
  if (value instanceof Uint8Array) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    return { type: 'bytes', text: bytes.toString('base64') }
  }
  // Booleans and bigints are left; the rest has been refused.
  return { type: typeof value, text: String(value) }
}

/** The value, or `undefined` if the text is none of this type. */
export function fromText(type: string | undefined, text: string): unknown {
  switch (type) {
    case undefined:
      return text
    case 'null':
      return text === '' ? null : undefined
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : undefined
    case 'number':
      return numberOf(text)
    case 'bigint':
      return /^-?[0-9]+$/.test(text) && text.length <= maxDigits + 1 ? BigInt(text) : undefined
    case 'date':
      return dateOf(text)
    case 'bytes':
      return bytesOf(text)
    default:
      return undefined
  }
}

const odd = new Map([
  ['NaN', Number.NaN],
  ['INF', Number.POSITIVE_INFINITY],
  ['-INF', Number.NEGATIVE_INFINITY],
])

function numberText(value: number): string {
  if (Object.is(value, -0)) return '-0'
  for (const [text, number] of odd) if (Object.is(number, value)) return text
  return String(value)
}

function numberOf(text: string): number | undefined {
  if (!/^[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?$/.test(text)) return odd.get(text)
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}

function dateOf(text: string): Date | undefined {
  const form = /^(\d{4}|[-+]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[-+]\d\d:\d\d)$/
  const date = new Date(form.test(text) ? text : Number.NaN)
  return Number.isNaN(date.getTime()) ? undefined : date
}

function bytesOf(text: string): Uint8Array | undefined {
  const base64 = text.replaceAll(/\s/g, '')
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.length % 4 !== 0) return undefined
  // A copy: a small one would keep a pool of Node's, shared with others.
  return new Uint8Array(Buffer.from(base64, 'base64'))
}
