import { MicroError } from '../errors/micro-error.ts'

export type MetadataInit =
  | Metadata
  | Iterable<readonly [string, string]>
  | Readonly<Record<string, string | readonly string[]>>

/**
 * Headers and trailers of a call: lower-case keys, each with one or more values.
 *
 * Follows gRPC's "Custom-Metadata": keys of `0-9 a-z _ - .`, values of printable ASCII; a key that
 * ends in `-bin` holds bytes, kept here in base64. Always copied between sides, never shared.
 */
export class Metadata {
  /** Absent while empty, which most metadata is. */
  #entries: Map<string, string[]> | undefined

  constructor(init?: MetadataInit) {
    if (init === undefined) return
    if (init instanceof Metadata) {
      if (init.#entries === undefined) return
      this.#entries = new Map()
      for (const [key, values] of init.#entries) this.#entries.set(key, values.slice())
    } else if (Symbol.iterator in init) {
      for (const [key, value] of init) this.append(key, value)
    } else {
      for (const [key, value] of Object.entries(init)) {
        if (typeof value === 'string') this.append(key, value)
        else for (const item of value) this.append(key, item)
      }
    }
  }

  /** A copy, whatever was given. */
  static from(init: MetadataInit | undefined): Metadata {
    return new Metadata(init)
  }

  /** Number of keys. */
  get size(): number {
    return this.#entries?.size ?? 0
  }

  /** The first value of `key`. */
  get(key: string): string | undefined {
    return this.#entries?.get(key.toLowerCase())?.[0]
  }

  getAll(key: string): readonly string[] {
    return this.#entries?.get(key.toLowerCase()) ?? []
  }

  has(key: string): boolean {
    return this.#entries?.has(key.toLowerCase()) ?? false
  }

  /** Replaces all values of `key`. @throws `invalid_argument`, naming the key. */
  set(key: string, value: string): this {
    const name = checkedKey(key)
    this.#entries ??= new Map()
    this.#entries.set(name, [checkedValue(name, value)])
    return this
  }

  /** Adds a value to `key`. @throws `invalid_argument`, naming the key. */
  append(key: string, value: string): this {
    const name = checkedKey(key)
    const checked = checkedValue(name, value)
    this.#entries ??= new Map()
    const values = this.#entries.get(name)
    if (values === undefined) this.#entries.set(name, [checked])
    else values.push(checked)
    return this
  }

  delete(key: string): boolean {
    return this.#entries?.delete(key.toLowerCase()) ?? false
  }

  /** The first value of a `-bin` key, decoded; `undefined` if absent or not base64. */
  getBinary(key: string): Uint8Array | undefined {
    const value = this.get(key)
    if (value === undefined) return undefined
    try {
      return Uint8Array.from(atob(value), (character) => character.charCodeAt(0))
    } catch {
      return undefined
    }
  }

  /** @throws `invalid_argument` if `key` does not end in `-bin`. */
  setBinary(key: string, value: Uint8Array): this {
    if (!key.endsWith('-bin')) {
      throw new MicroError(
        'invalid_argument',
        `metadata key "${key}": bytes need a key that ends in "-bin"`,
      )
    }
    let binary = ''
    for (const byte of value) binary += String.fromCharCode(byte)
    // gRPC asks senders to leave the padding out.
    return this.set(key, btoa(binary).replace(/=+$/, ''))
  }

  keys(): Iterable<string> {
    return this.#entries?.keys() ?? []
  }

  /** Key and value, once per value. */
  *[Symbol.iterator](): IterableIterator<[string, string]> {
    if (this.#entries === undefined) return
    for (const [key, values] of this.#entries) for (const value of values) yield [key, value]
  }

  toJSON(): Record<string, string | string[]> {
    const json: Record<string, string | string[]> = Object.create(null)
    for (const [key, values] of this.#entries ?? []) {
      json[key] = values.length === 1 ? (values[0] as string) : values.slice()
    }
    return json
  }
}

const validKey = /^[0-9a-z_.-]+$/
const validValue = /^[\x20-\x7e]*$/

function checkedKey(key: string): string {
  const name = key.toLowerCase()
  if (!validKey.test(name)) {
    throw new MicroError(
      'invalid_argument',
      `metadata key ${JSON.stringify(key)}: use letters, digits, "_", "-" and "." only`,
    )
  }
  return name
}

function checkedValue(key: string, value: string): string {
  if (typeof value !== 'string' || !validValue.test(value)) {
    throw new MicroError(
      'invalid_argument',
      `metadata "${key}": values are printable ASCII; encode other text, or use setBinary with a "-bin" key`,
    )
  }
  return value
}
