import { isPollutingKey } from '@micro/core/codec'
import { type Document, isMap, isScalar, isSeq, type ParsedNode, type Scalar } from 'yaml'
import { malformedAt } from './errors.ts'
import { maxDigits } from './tags.ts'

/**
 * Plain data of a document. Keys are texts, each once; whole numbers that a number holds exactly are
 * numbers, larger ones bigints.
 *
 * @throws `invalid_argument`.
 */
export function toPlain(
  document: Document.Parsed<ParsedNode>,
  text: string,
  maxDepth: number,
): unknown {
  return new Reader(text, maxDepth).value(document.contents, 0)
}

class Reader {
  readonly #text: string
  readonly #maxDepth: number

  constructor(text: string, maxDepth: number) {
    this.#text = text
    this.#maxDepth = maxDepth
  }

  value(node: unknown, depth: number): unknown {
    if (node === null || node === undefined) return null
    if (isScalar(node)) return this.#scalar(node)
    if (!isMap(node) && !isSeq(node)) throw malformedAt(this.#text, 0, 'a node of another kind')
    if (depth >= this.#maxDepth) {
      const why = `nested deeper than ${this.#maxDepth} levels, the limit maxDepth`
      throw malformedAt(this.#text, node.range?.[0] ?? 0, why)
    }
    if (isSeq(node)) return node.items.map((item) => this.value(item, depth + 1))
    const result: Record<string, unknown> = {}
    for (const { key, value } of node.items) {
      const [name, offset] = this.#key(key)
      if (Object.hasOwn(result, name)) {
        throw malformedAt(this.#text, offset, `the key ${short(name)} twice in a map`)
      }
      const inner = this.value(value, depth + 1)
      if (isPollutingKey(name, inner)) {
        throw malformedAt(this.#text, offset, `the key ${short(name)} is not allowed`)
      }
      result[name] = inner
    }
    return result
  }

  #key(key: unknown): [name: string, offset: number] {
    if (key === null) return ['', 0]
    if (!isScalar(key)) throw malformedAt(this.#text, 0, 'a key that is no text')
    const name = this.#scalar(key)
    const offset = key.range?.[0] ?? 0
    if (typeof name === 'string') return [name, offset]
    throw malformedAt(this.#text, offset, 'a key that is no text')
  }

  #scalar(node: Scalar): unknown {
    const { value, source = '' } = node
    const offset = node.range?.[0] ?? 0
    switch (typeof value) {
      case 'string':
        if (value.isWellFormed()) return value
        throw malformedAt(this.#text, offset, 'a text with half of a surrogate pair')
      case 'bigint':
        if (source.length > maxDigits + 1) {
          throw malformedAt(this.#text, offset, `a number of more than ${maxDigits} digits`)
        }
        return Number.isSafeInteger(Number(value)) ? Number(value) : value
      case 'number':
        if (Number.isFinite(value) || /[a-z]{3}$/i.test(source)) return value
        throw malformedAt(this.#text, offset, 'a number that is too large')
      default:
        return value
    }
  }
}

function short(name: string): string {
  return JSON.stringify(name.slice(0, 40))
}
