import { cannot, malformed, short } from './errors.ts'
import type { Settings } from './options.ts'

/** A file of a form. */
export interface FormFile {
  /** As the sender calls it. It may be anything: never use it as a path. */
  readonly name: string
  /** Media type, as the sender has it. */
  readonly type: string
  readonly bytes: Uint8Array
}

export interface Field {
  /** With its brackets: `user[tags][]`. */
  readonly name: string
  readonly value: string | FormFile
}

interface Tree {
  [key: string]: unknown
}

/** The fields of a message, which has been checked to be plain data. */
export function flatten(message: unknown, settings: Settings): Field[] {
  if (!isTree(message) || isFile(message)) throw cannot('', 'only an object of fields')
  const fields: Field[] = []
  addFields(message, [], settings, (name, value) => {
    const field = { name, value: fieldValue(name, value) }
    checkLimits(field, fields.push(field), settings, cannot)
  })
  return fields
}

function addFields(
  tree: Tree,
  outer: readonly string[],
  settings: Settings,
  add: (name: string, value: unknown) => void,
): void {
  for (const [key, value] of Object.entries(tree)) {
    if (value === undefined) continue
    const path = [...outer, key]
    const name = nameOf(path)
    if (/[[\]]/.test(key) || (key === '' && outer.length > 0)) {
      throw cannot(name, 'a key that is empty or has brackets')
    }
    const isListed = settings.arrays.has(name)
    if (isListed && !Array.isArray(value)) {
      throw cannot(name, 'it is among the arrays, and is none')
    }
    if (Array.isArray(value)) {
      if (value.length === 0) throw cannot(name, 'an empty array, of which nothing would arrive')
      for (const each of value) add(isListed ? name : `${name}[]`, each)
    } else if (isTree(value) && !isFile(value)) {
      if (path.length >= settings.maxDepth) {
        throw cannot(name, `nested deeper than ${settings.maxDepth} levels, the limit maxDepth`)
      }
      if (Object.values(value).every((inner) => inner === undefined)) {
        throw cannot(name, 'an empty object, of which nothing would arrive')
      }
      addFields(value, path, settings, add)
    } else {
      add(name, value)
    }
  }
}

/** `user`, `name` → `user[name]`. */
function nameOf([first = '', ...rest]: readonly string[]): string {
  return first + rest.map((key) => `[${key}]`).join('')
}

function fieldValue(name: string, value: unknown): string | FormFile {
  if (typeof value === 'string' || isFile(value)) return value
  if (Array.isArray(value) || isTree(value)) {
    throw cannot(name, 'an array of anything but text and files')
  }
  const what =
    value instanceof Uint8Array ? 'bytes; give a file { name, type, bytes }' : typeof value
  throw cannot(
    name,
    `${value === null ? 'null' : what}; a form has text only, as String() makes it`,
  )
}

/** The message of fields, as they arrive. */
export class Assembly {
  readonly value: Tree = {}
  readonly #settings: Settings
  #count = 0
  /** Names of fields without brackets at the end that came more than once, or are listed. */
  readonly #plain = new Map<string, number>()

  constructor(settings: Settings) {
    this.#settings = settings
  }

  add(field: Field): void {
    checkLimits(field, ++this.#count, this.#settings, (name, why) =>
      malformed(`${short(name)}: ${why}`),
    )
    const isArray = field.name.endsWith('[]')
    const name = isArray ? field.name.slice(0, -2) : field.name
    const path = pathOf(name, this.#settings.maxDepth)
    let tree = this.value
    for (const key of path.slice(0, -1)) tree = within(tree, key, field.name)
    const { value } = field
    // A copy, made only now that its size is known to be allowed: the message keeps it.
    const own = typeof value === 'string' ? value : { ...value, bytes: new Uint8Array(value.bytes) }
    this.#put(tree, path.at(-1) ?? '', name, isArray, own)
  }

  #put(tree: Tree, key: string, name: string, isArray: boolean, value: string | FormFile): void {
    const isListed = this.#settings.arrays.has(name)
    if (isArray && isListed) throw malformed(`${short(name)}: brackets where none belong`)
    const before = Object.hasOwn(tree, key) ? tree[key] : undefined
    const times = this.#plain.get(name) ?? 0
    if (!isArray) this.#plain.set(name, times + 1)
    if (before === undefined) {
      tree[key] = isArray || isListed ? [value] : value
    } else if (Array.isArray(before) && isArray === (times === 0)) {
      before.push(value)
    } else if (times === 1 && !isArray && (typeof before === 'string' || isFile(before))) {
      tree[key] = [before, value]
    } else {
      throw malformed(`${short(name)} is a field and something else`)
    }
  }
}

/** The object under a key of another; made if there is none. */
function within(tree: Tree, key: string, name: string): Tree {
  if (!Object.hasOwn(tree, key)) tree[key] = {}
  const inner = tree[key]
  if (!isTree(inner) || isFile(inner))
    throw malformed(`${short(name)} is a field and something else`)
  return inner
}

/** `user[name]` → `user`, `name`. */
function pathOf(name: string, maxDepth: number): string[] {
  const open = name.indexOf('[')
  const first = open === -1 ? name : name.slice(0, open)
  const rest = open === -1 ? [] : name.slice(open + 1, -1).split('][')
  if (rest.length >= maxDepth) {
    throw malformed(`${short(name)}: nested deeper than ${maxDepth} levels, the limit maxDepth`)
  }
  const path = [first, ...rest]
  const isClosed = open === -1 || name.endsWith(']')
  if (!isClosed || path.some((key, at) => /[[\]]/.test(key) || (key === '' && at > 0))) {
    throw malformed(`${short(name)}: brackets that do not match, or are empty within`)
  }
  const polluting = path.findIndex(
    (key, at) => key === '__proto__' || (key === 'prototype' && path[at - 1] === 'constructor'),
  )
  if (polluting !== -1) throw malformed(`${short(name)}: the key ${path[polluting]} is not allowed`)
  return path
}

function checkLimits(
  { name, value }: Field,
  count: number,
  settings: Settings,
  refuse: (name: string, why: string) => Error,
): void {
  const { maxFields, maxFieldSize, maxFileSize } = settings
  if (count > maxFields) throw refuse(name, `more than ${maxFields} fields, the limit maxFields`)
  const text = typeof value === 'string' ? value : value.name
  if (Buffer.byteLength(name) > maxFieldSize || Buffer.byteLength(text) > maxFieldSize) {
    throw refuse(name, `more than ${maxFieldSize} bytes, the limit maxFieldSize`)
  }
  if (typeof value !== 'string' && value.bytes.length > maxFileSize) {
    throw refuse(name, `a file of more than ${maxFileSize} bytes, the limit maxFileSize`)
  }
}

function isFile(value: unknown): value is FormFile {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 3) return false
  const { name, type, bytes } = value as Partial<FormFile>
  return typeof name === 'string' && typeof type === 'string' && bytes instanceof Uint8Array
}

function isTree(value: unknown): value is Tree {
  if (typeof value !== 'object' || value === null) return false
  return !Array.isArray(value) && !(value instanceof Uint8Array)
}
