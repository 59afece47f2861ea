import { malformed, malformedAt } from './errors.ts'
import { namePattern, unprintable } from './names.ts'

/**
 * Looks through a document before anything is made of it: it is well-formed, is not nested too deep,
 * declares no entities and no document type, and has no instruction but the XML declaration.
 *
 * The parser is lenient: it makes trees of documents that are none, and knows entities.
 *
 * @throws `invalid_argument`.
 */
export function scan(text: string, maxDepth: number): void {
  const control = text.search(unprintable)
  if (control !== -1) throw malformedAt(text, control, 'a character that XML does not have')
  const open: string[] = []
  let at = declaration.exec(text)?.[0].length ?? 0
  let roots = 0
  while (at < text.length) {
    const next = text.indexOf('<', at)
    const end = next === -1 ? text.length : next
    checkText(text, at, end, open.length > 0)
    if (next === -1) break
    if (text.startsWith('<!--', next)) at = comment(text, next)
    else if (text.startsWith('<![CDATA[', next)) at = cdata(text, next, open.length > 0)
    else if (text.startsWith('</', next)) at = close(text, next, open)
    else {
      if (open.length === 0 && ++roots > 1) throw malformedAt(text, next, 'a second root element')
      at = element(text, next, open)
      if (open.length > maxDepth + 1) {
        const why = `nested deeper than ${maxDepth} levels, the limit maxDepth`
        throw malformedAt(text, next, why)
      }
    }
  }
  const [unclosed] = open.slice(-1)
  if (unclosed !== undefined) throw malformed(`cut off within the element ${unclosed.slice(0, 40)}`)
  if (roots === 0) throw malformed('it has no root element')
}

const declaration =
  /^\ufeff?<\?xml\s+version\s*=\s*(["'])1\.0\1(?:\s+encoding\s*=\s*(["'])[uU][tT][fF]-8\2)?(?:\s+standalone\s*=\s*(["'])(?:yes|no)\3)?\s*\?>|^\ufeff/
const name = new RegExp(namePattern, 'uy')
const attribute = new RegExp(`\\s+(${namePattern})\\s*=\\s*("[^<"]*"|'[^<']*')`, 'uy')
const tagEnd = /\s*(\/?)>/y
const reference = /&(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});|&/g

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(text)
}

function checkText(text: string, at: number, end: number, isInside: boolean): void {
  const part = text.slice(at, end)
  if (!isInside && /[^ \t\r\n]/.test(part))
    throw malformedAt(text, at, 'text outside the root element')
  if (part.includes(']]>')) throw malformedAt(text, at, '"]]>" in a text')
  checkReferences(text, part, at)
}

function checkReferences(text: string, part: string, at: number): void {
  if (!part.includes('&')) return
  for (const { 0: found, index } of part.matchAll(reference)) {
    if (found === '&') {
      const why = `an entity that is not one of XML's five: ${part.slice(index, index + 20)}`
      throw malformedAt(text, at + index, why)
    }
    if (found[1] === '#' && !isCharacter(codeOf(found))) {
      throw malformedAt(text, at + index, `a character that XML does not have: ${found}`)
    }
  }
}

function element(text: string, at: number, open: string[]): number {
  if (text[at + 1] === '!') {
    throw malformedAt(text, at, 'a document type or another declaration, which is not read')
  }
  if (text[at + 1] === '?') throw malformedAt(text, at, 'an instruction, which is not read')
  const tag = match(name, text, at + 1)?.[0]
  if (tag === undefined) throw malformedAt(text, at, '"<" without the name of an element')
  let next = at + 1 + tag.length
  let seen: Set<string> | undefined
  for (;;) {
    const found = match(attribute, text, next)
    if (found === null) break
    const [whole, key = '', value = ''] = found
    seen ??= new Set()
    if (seen.has(key)) throw malformedAt(text, next, `the attribute ${key.slice(0, 40)} twice`)
    seen.add(key)
    checkReferences(text, value, next + whole.length - value.length)
    next += whole.length
  }
  const end = match(tagEnd, text, next)
  if (end === null) throw malformedAt(text, next, `the element ${tag.slice(0, 40)} does not end`)
  if (end[1] === '') open.push(tag)
  return next + end[0].length
}

function close(text: string, at: number, open: string[]): number {
  const tag = open.pop()
  const next = at + 2 + (tag?.length ?? 0)
  const end = tag !== undefined && text.startsWith(tag, at + 2) ? match(tagEnd, text, next) : null
  if (end === null || end[1] !== '') {
    throw malformedAt(text, at, `an end of another element than ${tag?.slice(0, 40) ?? 'any'}`)
  }
  return next + end[0].length
}

function comment(text: string, at: number): number {
  const end = text.indexOf('--', at + 4)
  if (end === -1 || text[end + 2] !== '>') throw malformedAt(text, at, 'a comment without its end')
  return end + 3
}

function cdata(text: string, at: number, isInside: boolean): number {
  const end = text.indexOf(']]>', at)
  if (end === -1 || !isInside) throw malformedAt(text, at, 'CDATA outside or without its end')
  return end + 3
}

/** The number of a reference: `&#65;`, `&#x41;`. */
export function codeOf(found: string): number {
  return found[2] === 'x'
    ? Number.parseInt(found.slice(3), 16)
    : Number.parseInt(found.slice(2), 10)
}

function isCharacter(code: number): boolean {
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false
  return code > 0 && !unprintable.test(String.fromCodePoint(code))
}
