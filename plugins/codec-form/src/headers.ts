import { cannot, malformed } from './errors.ts'
import type { Field } from './fields.ts'

interface PartHead {
  readonly name: string
  /** Of a file, what its headers say. */
  readonly file: { readonly name: string; readonly type: string } | undefined
}

/** Of browsers, RFC 7578 and WHATWG: quotes and line breaks of names as `%22`, `%0D` and `%0A`. */
export function writeHeaders({ name, value }: Field): string {
  const disposition = `Content-Disposition: form-data; name="${escaped(name, name)}"`
  if (typeof value === 'string') return disposition
  // An empty type would come back as the default.
  if (!mediaType.test(value.type)) {
    throw cannot(name, `a file of the type "${value.type.slice(0, 80)}"; give a media type`)
  }
  return `${disposition}; filename="${escaped(value.name, name)}"\r\nContent-Type: ${value.type}`
}

const binary = 'application/octet-stream'

/** A media type as it is, its parameters included. */
const mediaType = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+\/[!-~](?:[ -~]*[!-~])?$/
const escapes = new Map([
  ['"', '%22'],
  ['\r', '%0D'],
  ['\n', '%0A'],
])

function escaped(text: string, name: string): string {
  if (text.includes('\0')) throw cannot(name, 'a name with the character 0')
  if (/%(?:22|0D|0A)/i.test(text))
    throw cannot(name, 'a name with %22, %0D or %0A, which are escapes')
  return text.replaceAll(/["\r\n]/g, (found) => escapes.get(found) ?? found)
}

/** @param head the lines, each byte a character. */
export function readHeaders(head: string): PartHead {
  const headers = new Map<string, string>()
  for (const line of head.split('\r\n')) {
    const found = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)$/.exec(line)
    if (found === null) throw malformed('a part with a line that is no header')
    const [, key = '', value = ''] = found
    if (headers.has(key.toLowerCase()))
      throw malformed(`a part with two headers ${key.slice(0, 40)}`)
    headers.set(key.toLowerCase(), value.trimEnd())
  }
  const encoding = headers.get('content-transfer-encoding') ?? 'binary'
  if (!/^(?:7bit|8bit|binary)$/i.test(encoding)) {
    throw malformed(`a part in the transfer encoding ${encoding.slice(0, 40)}, which is not read`)
  }
  const { name, filename } = readDisposition(headers.get('content-disposition') ?? '')
  const type = headers.get('content-type')
  // A file that has no name is sent without one by some.
  if (filename !== undefined || type === binary) {
    return { name, file: { name: filename ?? '', type: type ?? binary } }
  }
  if (
    type !== undefined &&
    !/^text\/plain(?:\s*;\s*charset="?(?:utf-8|us-ascii)"?)?$/i.test(type)
  ) {
    throw malformed(`a part of the type ${type.slice(0, 80)} without a filename`)
  }
  return { name, file: undefined }
}

const parameter = /;[ \t]*([0-9A-Za-z_*-]+)=(?:"([^"]*)"|([^\s";]+))[ \t]*/y

function readDisposition(value: string): { name: string; filename: string | undefined } {
  const start = /^form-data[ \t]*/i.exec(value)
  if (start === null) throw malformed('a part that is no form-data')
  const found = new Map<string, string>()
  parameter.lastIndex = start[0].length
  let at = parameter.lastIndex
  for (let next = parameter.exec(value); next !== null; next = parameter.exec(value)) {
    const [, key = '', quoted, token = ''] = next
    if (found.has(key.toLowerCase()))
      throw malformed(`a part with two parameters ${key.slice(0, 40)}`)
    found.set(key.toLowerCase(), quoted ?? token)
    at = parameter.lastIndex
  }
  const name = found.get('name')
  if (at < value.length || name === undefined) {
    throw malformed('a part without a name, or with a disposition that is broken')
  }
  const filename = found.get('filename')
  if (filename === undefined && found.has('filename*')) {
    throw malformed('a part with filename* and no filename')
  }
  return {
    name: unescaped(name),
    filename: filename === undefined ? undefined : unescaped(filename),
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const originals = new Map([...escapes].map(([character, escaped]) => [escaped, character]))

function unescaped(text: string): string {
  try {
    const whole = decoder.decode(Buffer.from(text, 'latin1'))
    return whole.replaceAll(
      /%(?:22|0D|0A)/gi,
      (found) => originals.get(found.toUpperCase()) ?? found,
    )
  } catch (cause) {
    throw malformed('a part with a name that is not valid UTF-8', cause)
  }
}
