import { isPollutingKey } from '@micro/core/codec'
import { malformed } from './errors.ts'
import { item, marks } from './names.ts'
import { fromText } from './scalars.ts'
import { codeOf } from './scan.ts'

/** As the parser gives it, in order: one key is the name, `:@` has the attributes. */
export type OrderedNode = Readonly<Record<string, unknown>>

interface Element {
  readonly name: string
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly Element[]
  readonly text: string
}

/**
 * Plain data of a document.
 *
 * @throws `invalid_argument` for what would be lost or mixed up.
 */
export function toPlain(
  nodes: readonly OrderedNode[],
  root: string,
  arrays: ReadonlySet<string>,
): unknown {
  const [top] = elementsOf(nodes)
  if (top?.name !== root) {
    throw malformed(`the root element is ${short(top?.name ?? '')}, not ${root}`)
  }
  const isMarked = top.attributes.get(marks.declaration) === marks.namespace
  return new Reader(arrays, isMarked).value(top)
}

class Reader {
  readonly #arrays: ReadonlySet<string>
  readonly #isMarked: boolean

  constructor(arrays: ReadonlySet<string>, isMarked: boolean) {
    this.#arrays = arrays
    this.#isMarked = isMarked
  }

  value(element: Element): unknown {
    const type = this.#mark(element, marks.type)
    if (type === 'array') return this.#array(element)
    const attributes = [...element.attributes].filter(([name]) => !this.#isMark(name))
    const { children, text } = element
    if (children.length > 0 && hasText(text)) {
      throw malformed(`text next to elements in ${short(element.name)}, whose order would be lost`)
    }
    const isObject = children.length > 0 || type === 'object'
    if (isObject && type !== undefined && type !== 'object') throw this.#untrue(element, type)
    const scalar = isObject ? undefined : this.#scalar(element, type, text)
    if (!isObject && attributes.length === 0) return scalar
    const fields: Record<string, unknown> = {}
    for (const [name, value] of attributes) fields[`@${name}`] = value
    if (!isObject && scalar !== '') fields['#text'] = scalar
    this.#addFields(fields, children)
    return fields
  }

  #scalar(element: Element, type: string | undefined, text: string): unknown {
    const value = fromText(type, text)
    if (value === undefined) throw this.#untrue(element, type)
    return value
  }

  #array(element: Element): unknown[] {
    const fields: Record<string, unknown> = {}
    this.#addFields(fields, element.children)
    const { [item]: items, ...others } = fields
    if (!Array.isArray(items) || Object.keys(others).length > 0 || hasText(element.text)) {
      throw this.#untrue(element, 'array')
    }
    return items
  }

  #addFields(fields: Record<string, unknown>, children: readonly Element[]): void {
    const groups = new Map<string, Element[]>()
    for (const child of children) {
      const key = this.#mark(child, marks.key) ?? child.name
      if (key.startsWith('@') || key === '#text')
        throw malformed(`the key ${short(key)} of an element`)
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [child])
      else group.push(child)
    }
    for (const [key, group] of groups) {
      const value = this.#group(key, group)
      if (Object.hasOwn(fields, key) || isPollutingKey(key, value)) {
        throw malformed(`the key ${short(key)} is twice there or not allowed`)
      }
      fields[key] = value
    }
  }

  #group(key: string, group: readonly Element[]): unknown {
    const [first] = group
    if (first === undefined) return []
    const list = this.#mark(first, marks.list)
    if (group.some((other) => this.#mark(other, marks.list) !== list)) {
      throw malformed(`elements ${short(key)} in an array and outside`)
    }
    if (list === 'empty') {
      if (group.length > 1 || first.children.length > 0 || first.text !== '') {
        throw malformed(`an empty array ${short(key)} that is not empty`)
      }
      return []
    }
    if (list !== undefined && list !== 'item')
      throw malformed(`${marks.list}="${list.slice(0, 40)}"`)
    const isArray = list === 'item' || group.length > 1 || this.#arrays.has(key)
    return isArray ? group.map((each) => this.value(each)) : this.value(first)
  }

  /** Of a document that does not declare them, marks are attributes like any other. */
  #isMark(name: string): boolean {
    if (!this.#isMarked) return false
    return (
      name === marks.declaration || name === marks.type || name === marks.list || name === marks.key
    )
  }

  #mark(element: Element, name: string): string | undefined {
    return this.#isMarked ? element.attributes.get(name) : undefined
  }

  #untrue(element: Element, type = 'text'): Error {
    return malformed(`${short(element.name)} is no ${type.slice(0, 40)}`)
  }
}

/** The elements among nodes. Other nodes are texts, of which `textOf` takes care. */
function elementsOf(nodes: readonly OrderedNode[]): Element[] {
  const elements: Element[] = []
  for (const node of nodes) {
    const [name] = Object.keys(node)
    if (name === undefined || name === '#text' || name === '#cdata' || name === '?xml') continue
    const children = node[name] as readonly OrderedNode[]
    const attributes = new Map<string, string>()
    for (const [key, value] of Object.entries(node[':@'] ?? {})) {
      attributes.set(key, decoded(String(value).replaceAll(/[\t\n]/g, ' ')))
    }
    elements.push({ name, attributes, children: elementsOf(children), text: textOf(children) })
  }
  return elements
}

function textOf(nodes: readonly OrderedNode[]): string {
  let text = ''
  for (const node of nodes) {
    if ('#text' in node) text += decoded(String(node['#text']))
    else if ('#cdata' in node) text += textOfCdata(node['#cdata'])
  }
  return text
}

function textOfCdata(nodes: unknown): string {
  return (nodes as readonly OrderedNode[]).map((node) => String(node['#text'] ?? '')).join('')
}

const names: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&apos;': "'",
}

function decoded(text: string): string {
  if (!text.includes('&')) return text
  return text.replaceAll(/&[^;]+;/g, (found) => names[found] ?? String.fromCodePoint(codeOf(found)))
}

function short(name: string): string {
  return JSON.stringify(name.slice(0, 40))
}

/** Other spaces than XML's are text. */
function hasText(text: string): boolean {
  return /[^ \t\r\n]/.test(text)
}
