/** Marks of ours, in a namespace of their own so that they are in nobody's way. */
export const marks = {
  namespace: 'urn:micro:xml',
  declaration: 'xmlns:m',
  /** What the text of an element is, where that is no text. */
  type: 'm:type',
  /** `item` of an array, or an array that is `empty`. */
  list: 'm:list',
  /** A key that is no name of an element. */
  key: 'm:key',
} as const

/** The element for a key that is no name. */
export const entry = 'entry'
/** The elements of an array within an array. */
export const item = 'item'

const start =
  'A-Z_a-z\\u{c0}-\\u{d6}\\u{d8}-\\u{f6}\\u{f8}-\\u{2ff}\\u{370}-\\u{37d}\\u{37f}-\\u{1fff}\\u{200c}\\u{200d}\\u{2070}-\\u{218f}\\u{2c00}-\\u{2fef}\\u{3001}-\\u{d7ff}\\u{f900}-\\u{fdcf}\\u{fdf0}-\\u{fefe}\\u{ff00}-\\u{fffd}\\u{10000}-\\u{effff}'
const rest = `${start}\\-.0-9\\u{b7}\\u{300}-\\u{36f}\\u{203f}-\\u{2040}`
const part = `[${start}][${rest}]*`

/** A name with a prefix at most, as XML with namespaces has it; but for U+FEFF, a space to the parser. */
export const namePattern: string = `${part}(?::${part})?`
const wholeName = new RegExp(`^${namePattern}$`, 'u')

/** These the parser refuses, wherever they stand. */
const reserved = new Set(['__proto__', 'constructor', 'prototype'])

export function isName(text: string): boolean {
  return wholeName.test(text) && !reserved.has(text)
}

/** Whether an attribute of this name is one of ours. */
export function isMark(name: string): boolean {
  return name === marks.declaration || name.startsWith('m:')
}

/** A character that XML 1.0 has no place for, not even as a reference. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
export const unprintable: RegExp = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/
