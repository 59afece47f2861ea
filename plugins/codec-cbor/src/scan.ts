import { isUtf8 } from 'node:buffer'
import { MapKeys } from '@micro/core/codec'
import { malformed } from './errors.ts'

/** Bytes of the largest integer that is written and read; reading takes the square of their time. */
export const maxBignum = 512

/** Major types, the upper three bits of an item. */
const major = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6 } as const
const tags = { dateText: 0, dateNumber: 1, bignum: 2, negativeBignum: 3, uint8: 64, cbor: 55_799 }
const indefinite = -1
const breakCode = 0xff

/**
 * Looks through a whole message before anything is made of it, and refuses what is not well-formed,
 * what claims more than there is, what is nested too deep, and every tag that is not listed.
 *
 * The library is lenient: it makes texts of bytes that are none, lets the last of two equal keys win,
 * and follows tags that reach beyond plain data: records, references, classes, packed tables.
 *
 * @returns the bytes to read: the same, or a copy in which 64-bit integers that a number can hold are
 * floats, since the library makes a bigint of each.
 * @throws `invalid_argument`.
 */
export function scan(bytes: Uint8Array, maxDepth: number): Uint8Array {
  const scanner = new Scanner(bytes, maxDepth)
  const end = scanner.message()
  if (end < bytes.length)
    throw malformed(`${bytes.length - end} bytes after the end of the message`)
  return scanner.readable
}

class Scanner {
  readable: Uint8Array
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #maxDepth: number
  /** Of the item whose head was read last: where it goes on, and its length, count or value. */
  #next = 0
  #argument = 0

  constructor(bytes: Uint8Array, maxDepth: number) {
    this.readable = bytes
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#maxDepth = maxDepth
  }

  message(): number {
    const isMarked = this.#head(0) === major.tag && this.#argument === tags.cbor
    return this.#value(isMarked ? this.#next : 0, 0, false)
  }

  /** Checks the item that begins at `at` and returns where it ends. */
  #value(at: number, depth: number, ofConstructor: boolean): number {
    const kind = this.#head(at)
    const start = this.#next
    const argument = this.#argument
    if (kind === major.array) return this.#array(start, argument, depth + 1)
    if (kind === major.map) return this.#map(start, argument, depth + 1, ofConstructor)
    if (kind === major.tag) return this.#tagged(start, argument)
    if (kind === major.text) return this.#text(start, argument)
    if (kind === major.bytes) return this.#claim(start, argument)
    if (kind <= major.negative) this.#toFloat(at, start)
    return start
  }

  #array(start: number, length: number, depth: number): number {
    this.#enter(start, length, depth)
    let at = start
    for (let item = 0; !this.#isOver(at, item, length); item++) at = this.#value(at, depth, false)
    return length === indefinite ? at + 1 : at
  }

  #map(start: number, entries: number, depth: number, ofConstructor: boolean): number {
    this.#enter(start, entries === indefinite ? entries : 2 * entries, depth)
    const keys = new MapKeys(
      this.#bytes,
      entries === indefinite ? Number.POSITIVE_INFINITY : entries,
    )
    let at = start
    for (let entry = 0; !this.#isOver(at, entry, entries); entry++) {
      if (this.#head(at) !== major.text) throw malformed('a key that is no text')
      const text = this.#next
      const end = this.#text(text, this.#argument)
      const kind = keys.add(text, end)
      if (kind === 'repeated') throw malformed(`the key ${keys.last()} twice in a map`)
      if (kind === '__proto__' || (kind === 'prototype' && ofConstructor)) {
        throw malformed(`the key ${keys.last()} is not allowed`)
      }
      at = this.#value(end, depth, kind === 'constructor')
    }
    return entries === indefinite ? at + 1 : at
  }

  #isOver(at: number, done: number, length: number): boolean {
    if (length !== indefinite) return done >= length
    this.#claim(at, 1)
    return this.#bytes[at] === breakCode
  }

  #enter(start: number, least: number, depth: number): void {
    if (depth > this.#maxDepth) {
      throw malformed(`nested deeper than ${this.#maxDepth} levels, the limit maxDepth`)
    }
    // Each item has a byte at least: a claim that cannot be true is refused before its items are read.
    if (least !== indefinite) this.#claim(start, least)
  }

  #text(start: number, length: number): number {
    const end = this.#claim(start, length)
    let at = start
    if (length <= 32) while (at < end && (this.#bytes[at] as number) < 0x80) at++
    if (at < end && !isUtf8(this.#bytes.subarray(at, end)))
      throw malformed('a text that is not UTF-8')
    if (length > 64 && this.#bytes[start] === 0xef && this.#view.getUint16(start + 1) === 0xbbbf) {
      // The library would take the mark away.
      throw malformed('a text of more than 64 bytes that begins with a byte-order mark')
    }
    return end
  }

  #tagged(at: number, tag: number): number {
    const kind = this.#head(at)
    const start = this.#next
    const argument = this.#argument
    if (tag === tags.bignum || tag === tags.negativeBignum) {
      if (kind !== major.bytes) throw malformed('a big integer that is not of bytes')
      if (argument > maxBignum) throw malformed(`a big integer of more than ${maxBignum} bytes`)
      return this.#claim(start, argument)
    }
    if (tag === tags.uint8 && kind === major.bytes) {
      return this.#claim(start, argument)
    }
    if (tag === tags.dateText && kind === major.text) {
      const end = this.#text(start, argument)
      requireDate(Date.parse(dateText(this.#bytes.subarray(start, end))))
      return end
    }
    if (tag === tags.dateNumber) {
      const seconds = this.#number(at, kind, start)
      requireDate(new Date(Math.round(seconds * 1_000)).getTime())
      if (kind <= major.negative) this.#toFloat(at, start)
      return start
    }
    throw malformed(
      `the tag ${tag}, which is not read${tag < 4 || tag === tags.uint8 ? ' here' : ''}`,
    )
  }

  /** A whole number, or a float of 32 or 64 bits; `NaN` for any other item. */
  #number(at: number, kind: number, end: number): number {
    const width = end - at - 1
    if (kind === major.unsigned) return this.#argument
    if (kind === major.negative) return -1 - this.#argument
    if (kind !== 7 || width < 2) return Number.NaN
    if (width === 8) return this.#view.getFloat64(at + 1)
    return width === 4 ? this.#view.getFloat32(at + 1) : Number.NaN
  }

  /** Reads a head: the major type is returned, the rest is in `#next` and `#argument`. */
  #head(at: number): number {
    this.#claim(at, 1)
    const first = this.#bytes[at] as number
    const kind = first >> 5
    const low = first & 0x1f
    const width = low < 24 ? 0 : low <= 27 ? 1 << (low - 24) : indefinite
    if (kind === 7) return this.#simple(at, low, width)
    this.#next = this.#claim(at + 1, Math.max(0, width))
    if (width === indefinite) {
      const isOpen = low === 31 && (kind === major.array || kind === major.map)
      const isText = low === 31 && (kind === major.text || kind === major.bytes)
      if (!isOpen)
        throw malformed(isText ? 'a text or bytes in parts' : `an item 0x${first.toString(16)}`)
      this.#argument = indefinite
    } else {
      this.#argument = width === 0 ? low : this.#unsigned(at + 1, width)
    }
    return kind
  }

  /** `false`, `true`, `null`, `undefined` and floats. */
  #simple(at: number, low: number, width: number): number {
    const isFloat = width >= 2
    if (!isFloat && (low < 20 || low > 23)) {
      throw malformed(low === 31 ? 'an end of nothing' : 'a simple value that is not read')
    }
    this.#next = this.#claim(at + 1, isFloat ? width : 0)
    return 7
  }

  #unsigned(at: number, width: number): number {
    if (width === 1) return this.#view.getUint8(at)
    if (width === 2) return this.#view.getUint16(at)
    if (width === 4) return this.#view.getUint32(at)
    return Number(this.#view.getBigUint64(at))
  }

  /** A 64-bit integer within the numbers becomes the float of the same length. */
  #toFloat(at: number, end: number): void {
    if (end - at !== 9) return
    const isNegative = (this.#bytes[at] as number) >> 5 === major.negative
    const value = isNegative ? -1 - this.#argument : this.#argument
    if (!Number.isSafeInteger(value)) return
    if (this.readable === this.#bytes) this.readable = new Uint8Array(this.#bytes)
    const view = new DataView(this.readable.buffer)
    view.setUint8(at, 0xfb)
    view.setFloat64(at + 1, value)
  }

  #claim(start: number, length: number): number {
    const end = start + length
    if (end <= this.#bytes.length) return end
    throw malformed(`cut off: ${end - this.#bytes.length} bytes more are claimed than there are`)
  }
}

/** RFC 3339, as a tag of 0 has it; what `Date.parse` takes beyond that is refused. */
const dateTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,20})?(Z|[+-]\d\d:\d\d)$/

function dateText(bytes: Uint8Array): string {
  const text = bytes.length > 64 ? '' : String.fromCharCode(...bytes)
  return dateTime.test(text) ? text : ''
}

function requireDate(time: number): void {
  if (Number.isNaN(time)) throw malformed('a date that is no Date')
}
