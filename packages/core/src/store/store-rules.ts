import { MicroError } from '../errors/micro-error.ts'
import type { Condition, StoreListOptions, StoreOperation, WriteFields } from './store.ts'

/** Limits that every store keeps, so that records can move from one to another. */
export const storeLimits: {
  readonly keyBytes: number
  readonly metadataBytes: number
  readonly operations: number
} = { keyBytes: 1_024, metadataBytes: 4_096, operations: 100 }

/** @throws `invalid_argument` for a key that not every store could keep. */
export function checkKey(key: string, field = 'key'): void {
  if (typeof key !== 'string' || key === '') throw wrong(field, 'give a string that is not empty')
  checkText(key, field)
  if (key.length * 3 > storeLimits.keyBytes && byteLength(key) > storeLimits.keyBytes) {
    throw wrong(field, `${byteLength(key)} bytes; give at most ${storeLimits.keyBytes}`)
  }
}

/** @throws `invalid_argument` naming what cannot be written. */
export function checkWrite(value: Uint8Array, fields: WriteFields & Condition): void {
  if (!(value instanceof Uint8Array)) throw wrong('value', 'give a Uint8Array')
  checkCondition(fields)
  const { ttl, metadata } = fields
  if (ttl !== undefined && !(ttl >= 1 && ttl <= Number.MAX_SAFE_INTEGER)) {
    throw wrong('ttl', `${ttl}; give milliseconds from 1`)
  }
  let size = 0
  for (const [name, text] of Object.entries(metadata ?? {})) {
    if (typeof text !== 'string') throw wrong(`metadata.${name}`, 'give a string')
    checkText(name, 'metadata')
    checkText(text, `metadata.${name}`)
    size += byteLength(name) + byteLength(text)
  }
  if (size > storeLimits.metadataBytes) {
    throw wrong('metadata', `${size} bytes; give at most ${storeLimits.metadataBytes}`)
  }
}

function checkCondition({ ifVersion, ifAbsent }: Condition): void {
  if (ifVersion !== undefined && ifAbsent === true) {
    throw wrong('ifVersion', 'give ifVersion or ifAbsent, not both')
  }
}

export function checkList({ prefix = '', after, limit }: StoreListOptions): void {
  checkText(prefix, 'prefix')
  if (after !== undefined) checkText(after, 'after')
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 0)) {
    throw wrong('limit', `${limit}; give a whole number from 0`)
  }
}

export function checkOperations(operations: readonly StoreOperation[]): void {
  const { length } = operations
  if (length === 0 || length > storeLimits.operations) {
    throw wrong('operations', `${length}; give 1 to ${storeLimits.operations}`)
  }
  const keys = new Set<string>()
  for (const [at, operation] of operations.entries()) {
    const field = `operations[${at}].key`
    checkKey(operation.key, field)
    if (keys.has(operation.key)) throw wrong(field, 'a batch may name a key once only')
    keys.add(operation.key)
    if (operation.type === 'write') checkWrite(operation.value, operation)
    else if (operation.type === 'check') checkCondition(operation)
  }
}

/** Orders keys as their UTF-8 bytes are ordered, which `<` does not above U+D7FF. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at)
    const right = b.charCodeAt(at)
    if (left !== right) return lift(left) - lift(right)
  }
  return a.length - b.length
}

export function conflict(key: string): MicroError {
  return new MicroError('aborted', `key ${JSON.stringify(key)}: it is not in the version given`)
}

export function alreadyThere(key: string): MicroError {
  return new MicroError('already_exists', `key ${JSON.stringify(key)}: it is there already`)
}

/** Surrogates stand for code points above all others, so they go last. */
function lift(unit: number): number {
  if (unit < 0xd800) return unit
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000
}

function checkText(text: string, field: string): void {
  if (typeof text !== 'string') throw wrong(field, 'give a string')
  if (!text.isWellFormed()) throw wrong(field, 'it has half of a surrogate pair')
  if (text.includes('\0')) throw wrong(field, 'it has the character U+0000')
}

const encoder = new TextEncoder()

function byteLength(text: string): number {
  return encoder.encode(text).length
}

function wrong(field: string, why: string): MicroError {
  return new MicroError('invalid_argument', `${field}: ${why}`)
}
