import { isUtf8 } from 'node:buffer'
import { MapKeys } from '@micro/core/codec'
import { malformed } from './errors.ts'

/**
 * Looks through a whole message before anything is made of it, and refuses what is not well-formed,
 * what claims more than there is, what is nested too deep, and every extension but timestamps.
 *
 * The library is lenient: it makes texts of bytes that are none, lets the last of two equal keys win,
 * and runs extensions that other code in the process registered.
 *
 * @throws `invalid_argument`.
 */
export function scan(bytes: Uint8Array, maxDepth: number): void {
  const scanner = new Scanner(bytes, maxDepth)
  const end = scanner.value(0, 0, false)
  if (end < bytes.length)
    throw malformed(`${bytes.length - end} bytes after the end of the message`)
}

class Scanner {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #maxDepth: number

  constructor(bytes: Uint8Array, maxDepth: number) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#maxDepth = maxDepth
  }

  /** Checks the value that begins at `at` and returns where it ends. */
  value(at: number, depth: number, ofConstructor: boolean): number {
    const token = this.#need(at, 1)
    if (token < 0x80 || token >= 0xe0) return at + 1
    if (token < 0x90) return this.#map(at + 1, token & 0x0f, depth + 1, ofConstructor)
    if (token < 0xa0) return this.#array(at + 1, token & 0x0f, depth + 1)
    if (token < 0xc0) return this.#text(at + 1, token & 0x1f)
    switch (token) {
      case 0xc0: // nil
      case 0xc2: // false
      case 0xc3: // true
        return at + 1
      case 0xc4: // bin
      case 0xc5:
      case 0xc6: {
        const width = 1 << (token - 0xc4)
        const start = at + 1 + width
        return this.#claim(start, this.#size(at + 1, width))
      }
      case 0xca: // float32
        return this.#claim(at + 1, 4)
      case 0xcb: // float64
        return this.#claim(at + 1, 8)
      case 0xcc: // uint
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.#claim(at + 1, 1 << (token - 0xcc))
      case 0xd0: // int
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return this.#claim(at + 1, 1 << (token - 0xd0))
      case 0xd4: // fixext
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extension(at + 1, 1 << (token - 0xd4))
      case 0xc7: // ext
      case 0xc8:
      case 0xc9: {
        const width = 1 << (token - 0xc7)
        return this.#extension(at + 1 + width, this.#size(at + 1, width))
      }
      case 0xd9: // str
      case 0xda:
      case 0xdb: {
        const width = 1 << (token - 0xd9)
        return this.#text(at + 1 + width, this.#size(at + 1, width))
      }
      case 0xdc: // array
      case 0xdd: {
        const width = 2 << (token - 0xdc)
        return this.#array(at + 1 + width, this.#size(at + 1, width), depth + 1)
      }
      case 0xde: // map
      case 0xdf: {
        const width = 2 << (token - 0xde)
        return this.#map(at + 1 + width, this.#size(at + 1, width), depth + 1, ofConstructor)
      }
      default:
        throw malformed('the byte 0xc1, which is never used')
    }
  }

  #array(start: number, length: number, depth: number): number {
    this.#enter(start, length, depth)
    let at = start
    for (let item = 0; item < length; item++) at = this.value(at, depth, false)
    return at
  }

  #map(start: number, entries: number, depth: number, ofConstructor: boolean): number {
    this.#enter(start, 2 * entries, depth)
    const keys = new MapKeys(this.#bytes, entries)
    let at = start
    for (let entry = 0; entry < entries; entry++) {
      const end = this.#key(at)
      const kind = keys.add(end - this.#lastText, end)
      if (kind === 'repeated') throw malformed(`the key ${keys.last()} twice in a map`)
      if (kind === '__proto__' || (kind === 'prototype' && ofConstructor)) {
        throw malformed(`the key ${keys.last()} is not allowed`)
      }
      at = this.value(end, depth, kind === 'constructor')
    }
    return at
  }

  /** Bytes of the text that was read last. */
  #lastText = 0

  #key(at: number): number {
    const token = this.#need(at, 1)
    const isText = (token >= 0xa0 && token < 0xc0) || (token >= 0xd9 && token <= 0xdb)
    if (!isText) throw malformed('a key that is no text')
    return this.value(at, 0, false)
  }

  #enter(start: number, least: number, depth: number): void {
    if (depth > this.#maxDepth) {
      throw malformed(`nested deeper than ${this.#maxDepth} levels, the limit maxDepth`)
    }
    // Each item has a byte at least: a claim that cannot be true is refused before its items are read.
    this.#claim(start, least)
  }

  #text(start: number, length: number): number {
    const end = this.#claim(start, length)
    this.#lastText = length
    let at = start
    if (length <= 32) while (at < end && (this.#bytes[at] as number) < 0x80) at++
    if (at < end && !isUtf8(this.#bytes.subarray(at, end)))
      throw malformed('a text that is not UTF-8')
    if (length > 64 && this.#bytes[start] === 0xef && this.#size(start + 1, 2) === 0xbbbf) {
      // The library would take the mark away.
      throw malformed('a text of more than 64 bytes that begins with a byte-order mark')
    }
    return end
  }

  /** Timestamps, of 4, 8 and 12 bytes. */
  #extension(at: number, length: number): number {
    const end = this.#claim(at + 1, length)
    const type = this.#view.getInt8(at)
    if (type !== -1) throw malformed(`an extension of type ${type}; timestamps only are read`)
    if (length === 4) return end
    if (length !== 8 && length !== 12) throw malformed(`a timestamp of ${length} bytes`)
    const first = this.#view.getUint32(at + 1)
    const nanoseconds = length === 8 ? Math.floor(first / 4) : first
    const seconds = length === 8 ? 0n : this.#view.getBigInt64(at + 5)
    const most = 8_640_000_000_000n
    const late = seconds > most || (seconds === most && nanoseconds > 0)
    if (nanoseconds > 999_999_999 || late || seconds < -most) {
      throw malformed('a timestamp that is no Date')
    }
    return end
  }

  /** An unsigned number of 1, 2 or 4 bytes. */
  #size(at: number, width: number): number {
    this.#claim(at, width)
    if (width === 1) return this.#view.getUint8(at)
    return width === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at)
  }

  #need(at: number, length: number): number {
    this.#claim(at, length)
    return this.#bytes[at] as number
  }

  #claim(start: number, length: number): number {
    const end = start + length
    if (end <= this.#bytes.length) return end
    throw malformed(`cut off: ${end - this.#bytes.length} bytes more are claimed than there are`)
  }
}
