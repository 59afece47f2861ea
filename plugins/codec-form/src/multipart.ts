import { createHash } from 'node:crypto'
import { cannot, malformed } from './errors.ts'
import type { Assembly, Field } from './fields.ts'
import { readHeaders, writeHeaders } from './headers.ts'

/** Bytes of the headers of a part. */
const maxHeaderSize = 16_384
const lineBreak = Buffer.from('\r\n')
const headersEnd = Buffer.from('\r\n\r\n')

export function writeMultipart(fields: readonly Field[]): Uint8Array {
  const contents = fields.flatMap((field) => {
    const head = Buffer.from(writeHeaders(field))
    if (head.length > maxHeaderSize) throw cannot(field.name, 'names of more than 16 KiB')
    return [head, typeof field.value === 'string' ? Buffer.from(field.value) : field.value.bytes]
  })
  const boundary = boundaryFor(contents)
  const delimiter = Buffer.from(`--${boundary}\r\n`)
  const parts = contents.flatMap((content, at) =>
    at % 2 === 0 ? [delimiter, content, headersEnd] : [content, lineBreak],
  )
  return new Uint8Array(Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]))
}

/**
 * A boundary that is in none of the contents: nobody can write a text that holds the hash of itself.
 * The same form has the same bytes each time.
 */
function boundaryFor(contents: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const content of contents) hash.update(`${content.length}:`).update(content)
  return `micro-form-${hash.digest('hex').slice(0, 40)}`
}

/** All parts, each whole; the boundary is the first line, since the body is all that a codec gets. */
export function readMultipart(bytes: Uint8Array, assembly: Assembly): void {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const firstEnd = body.indexOf(lineBreak)
  const first = body.toString('latin1', 0, Math.min(firstEnd === -1 ? body.length : firstEnd, 80))
  const boundary = firstLine.exec(first)?.[1]
  if (boundary === undefined) throw malformed('it does not begin with a boundary')
  // A form without fields is its last boundary alone.
  if (first.endsWith('--') && body.length - first.length <= 2) return
  if (firstEnd === -1) throw malformed('cut off: its last boundary is missing')
  const delimiter = Buffer.from(`\r\n--${boundary}`)
  let start = firstEnd + 2
  for (;;) {
    const end = body.indexOf(delimiter, start - 2)
    if (end === -1) throw malformed('cut off: its last boundary is missing')
    if (end < start) throw malformed('a part without headers')
    part(body, start, end, assembly)
    const after = end + delimiter.length
    const mark = body.toString('latin1', after, after + 2)
    if (mark === '--') {
      requireEnd(body, after + 2)
      return
    }
    if (mark !== '\r\n') throw malformed('a line that only begins as the boundary does')
    start = after + 2
  }
}

const firstLine = /^--([0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-])$/

function requireEnd(body: Buffer, at: number): void {
  const rest = body.toString('latin1', at, at + 3)
  if (rest !== '' && rest !== '\r\n') throw malformed('bytes after the last boundary')
}

function part(body: Buffer, start: number, end: number, assembly: Assembly): void {
  const head = body.indexOf(headersEnd, start)
  const isWhole = head !== -1 && head <= end - headersEnd.length
  const size = (isWhole ? head : end) - start
  if (size > maxHeaderSize) throw malformed('a part with more than 16 KiB of headers')
  if (!isWhole) throw malformed('a part whose headers do not end')
  const { name, file } = readHeaders(body.toString('latin1', start, head))
  const content = body.subarray(head + headersEnd.length, end)
  const value = file === undefined ? text(content, name) : { ...file, bytes: content }
  assembly.add({ name, value })
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function text(content: Buffer, name: string): string {
  try {
    return decoder.decode(content)
  } catch (cause) {
    throw malformed(`${name.slice(0, 80)}: not valid UTF-8`, cause)
  }
}
