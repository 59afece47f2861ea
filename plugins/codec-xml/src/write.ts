import { MicroError } from '@micro/core/errors'
import { entry, isMark, isName, item, marks } from './names.ts'
import { toText } from './scalars.ts'

type Fields = Readonly<Record<string, unknown>>
type Attributes = readonly (readonly [name: string, value: string])[]

/**
 * The document of plain data, which has been checked.
 *
 * @throws `invalid_argument` for attributes and text of an element that cannot be those.
 */
export function write(root: string, value: unknown): string {
  const document = element(root, value, [])
  // The namespace is declared where it is used only: documents of others stay as they were.
  const isMarked = / m:(?:type|list|key)="/.test(document)
  const declared = isMarked ? ` ${marks.declaration}="${marks.namespace}"` : ''
  return `<${root}${declared}${document.slice(root.length + 1)}`
}

function element(name: string, value: unknown, attributes: Attributes): string {
  if (Array.isArray(value)) {
    return tag(name, [...attributes, [marks.type, 'array']], list(item, value, []))
  }
  if (isFields(value)) return object(name, value, attributes)
  const { type, text } = toText(value)
  return tag(
    name,
    type === undefined ? attributes : [...attributes, [marks.type, type]],
    escaped(text),
  )
}

/** Elements of one name, each marked, so that one alone and none at all are an array too. */
function list(name: string, values: readonly unknown[], attributes: Attributes): string {
  if (values.length === 0) return tag(name, [...attributes, [marks.list, 'empty']], '')
  const marked: Attributes = [...attributes, [marks.list, 'item']]
  return values.map((value) => element(name, value, marked)).join('')
}

function object(name: string, fields: Fields, attributes: Attributes): string {
  const own: [string, string][] = []
  let children = ''
  let text: ReturnType<typeof toText> | undefined
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue
    if (key === '#text') text = textOf(value)
    else if (key.startsWith('@')) own.push([attributeName(key), attributeText(key, value)])
    else children += field(key, value)
  }
  if (text === undefined) {
    const isEmpty = own.length === 0 && children === ''
    const mark: Attributes = isEmpty ? [[marks.type, 'object']] : []
    return tag(name, [...own, ...attributes, ...mark], children)
  }
  if (own.length === 0) throw cannot('#text', 'a text alone; give the text instead of the object')
  if (children !== '') throw cannot('#text', 'text next to elements, whose order would be lost')
  const mark: Attributes = text.type === undefined ? [] : [[marks.type, text.type]]
  return tag(name, [...own, ...attributes, ...mark], escaped(text.text))
}

function field(key: string, value: unknown): string {
  const isPlainName = isName(key)
  const attributes: Attributes = isPlainName ? [] : [[marks.key, key]]
  const name = isPlainName ? key : entry
  return Array.isArray(value) ? list(name, value, attributes) : element(name, value, attributes)
}

function textOf(value: unknown): ReturnType<typeof toText> {
  if (isFields(value) || Array.isArray(value)) throw cannot('#text', 'an object or array as text')
  if (value === '') throw cannot('#text', 'an empty text; leave it out')
  return toText(value)
}

function attributeName(key: string): string {
  const name = key.slice(1)
  if (!isName(name)) throw cannot(key, 'an attribute whose name XML does not allow')
  if (isMark(name)) throw cannot(key, 'an attribute with the prefix "m", which this codec uses')
  return name
}

function attributeText(key: string, value: unknown): string {
  if (typeof value === 'string') return value
  throw cannot(key, 'an attribute that is no text')
}

function tag(name: string, attributes: Attributes, content: string): string {
  const all = attributes.map(([key, value]) => ` ${key}="${escaped(value, attributeEscapes)}"`)
  return content === ''
    ? `<${name}${all.join('')}/>`
    : `<${name}${all.join('')}>${content}</${name}>`
}

const textEscapes = /[&<>\r]/g
/** Readers make spaces of line breaks and tabs in attributes. */
const attributeEscapes = /[&<>"\r\n\t]/g
const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}

function escaped(text: string, pattern: RegExp = textEscapes): string {
  return text.replace(pattern, (found) => escapes[found] ?? `&#${found.charCodeAt(0)};`)
}

function isFields(value: unknown): value is Fields {
  if (typeof value !== 'object' || value === null) return false
  return !(value instanceof Date) && !(value instanceof Uint8Array) && !Array.isArray(value)
}

function cannot(key: string, what: string): MicroError {
  return new MicroError('invalid_argument', `XML cannot hold ${key.slice(0, 40)}: ${what}`)
}
