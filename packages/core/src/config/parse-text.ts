import { MicroError } from '../errors/micro-error.ts'
import type { SchemaView } from '../schema/json-schema.ts'

/** In milliseconds, and in bytes. Decimal and binary units as IEC 80000-13 names them. */
const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
}
const number = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)$/
const truths: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  1: true,
  false: false,
  no: false,
  off: false,
  0: false,
}

/**
 * The value that a text means, by the types that the schema allows at its path. A text that is none
 * of them stays as it is: the schema's own check then says what is wrong.
 *
 * @throws `invalid_argument` for JSON that does not parse; the text itself is not in the message.
 */
export function parseText(text: string, keys: readonly string[], view: SchemaView): unknown {
  const types = view.typesAt(keys)
  const isJson = /^\s*[[{]/.test(text)
  if (types.has('array')) {
    if (isJson) return parseJson(text, keys)
    const items = view.itemTypesAt(keys)
    return text.trim() === '' ? [] : text.split(',').map((item) => parseScalar(item.trim(), items))
  }
  if (types.has('object') && isJson) return parseJson(text, keys)
  return parseScalar(text, types)
}

function parseScalar(text: string, types: ReadonlySet<string>): unknown {
  if (types.has('boolean')) {
    const value = truths[text.trim().toLowerCase()]
    // 1 and 0 are numbers where both may be.
    const numeric = (types.has('number') || types.has('integer')) && /^[01]$/.test(text.trim())
    if (value !== undefined && !numeric) return value
  }
  if (types.has('number') || types.has('integer')) {
    const [, digits, unit = ''] = number.exec(text.trim()) ?? []
    const factor = unit === '' ? 1 : Object.hasOwn(units, unit) ? units[unit] : undefined
    if (digits !== undefined && factor !== undefined) return Number(digits) * factor
  }
  if (types.has('null') && !types.has('string') && text.trim() === 'null') return null
  return text
}

function parseJson(text: string, keys: readonly string[]): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message would quote the text, which may be a secret.
    throw new MicroError('invalid_argument', `${keys.join('.')}: it is no valid JSON`)
  }
}
