import { parse as parseToml, TomlError } from 'smol-toml'
import { isMap, isScalar, LineCounter, type Node, parseDocument as parseYaml } from 'yaml'
import { malformed } from './errors.ts'

/** Kinds of document that can be read. */
export type DocumentKind = 'json' | 'yaml' | 'toml'

export interface ParsedDocument {
  readonly values: Readonly<Record<string, unknown>>
  /** Line of each value, by path; 1 is the first. */
  readonly lines: ReadonlyMap<string, number>
}

const endings: Readonly<Record<string, DocumentKind>> = {
  json: 'json',
  yaml: 'yaml',
  yml: 'yaml',
  toml: 'toml',
}

/** By the ending of a file's name; `undefined` for any other. */
export function kindOfName(name: string): DocumentKind | undefined {
  const ending = /\.([A-Za-z]+)$/.exec(name)?.[1]?.toLowerCase() ?? ''
  return Object.hasOwn(endings, ending) ? endings[ending] : undefined
}

/** By a media type, with or without parameters: `application/yaml; charset=utf-8`. */
export function kindOfMediaType(type: string): DocumentKind | undefined {
  const [, kind] =
    /^[a-z]+\/(?:[a-z0-9.-]+\+|x-|vnd\.)?(json|yaml|toml)\s*(?:;|$)/i.exec(type) ?? []
  return kind === undefined ? undefined : (kind.toLowerCase() as DocumentKind)
}

/**
 * Reads a document: a tree of keys and values, and the lines that they are on. Nesting and YAML aliases
 * are bounded.
 *
 * @param place What people know the document by: a path, a URL.
 * @throws `invalid_argument` naming the place and the line; never the text, which may hold a secret.
 */
export function parseDocument(place: string, kind: DocumentKind, text: string): ParsedDocument {
  return kind === 'toml' ? parseTomlText(place, text) : parseYamlText(place, text, kind === 'json')
}

function parseTomlText(path: string, text: string): ParsedDocument {
  try {
    return { values: parseToml(text), lines: new Map() }
  } catch (error) {
    // The message goes on with the lines around, which may hold a secret.
    const [why = ''] = String((error as Error).message).split('\n')
    throw malformed(path, error instanceof TomlError ? error.line : undefined, why)
  }
}

/** JSON is read twice: by its own rules, and as YAML, which contains it, for the lines. */
function parseYamlText(path: string, text: string, json: boolean): ParsedDocument {
  const counter = new LineCounter()
  try {
    const document = parseYaml(text, { lineCounter: counter, prettyErrors: false })
    const [error] = document.errors
    const line = error && counter.linePos(error.pos[0]).line
    if (json) checkJson(path, text)
    else if (error !== undefined) throw malformed(path, line, `${error.code}: it is no valid YAML`)
    const values: unknown = json ? JSON.parse(text) : (document.toJS({ maxAliasCount: 100 }) ?? {})
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
      throw malformed(path, 1, 'the document must be a tree of keys and values')
    }
    const lines = new Map<string, number>()
    if (error === undefined) collectLines(document.contents, '', counter, lines, 0)
    return { values: values as ParsedDocument['values'], lines }
  } catch (error) {
    if (error instanceof RangeError || error instanceof ReferenceError) {
      throw malformed(path, undefined, 'too deeply nested, or too many aliases')
    }
    throw error
  }
}

function checkJson(path: string, text: string): void {
  try {
    JSON.parse(text)
  } catch (error) {
    // V8 tells the position of most faults; the rest of its message quotes the text.
    const [, position] = /at position (\d+)/.exec(String(error)) ?? []
    const line =
      position === undefined ? undefined : text.slice(0, Number(position)).split('\n').length
    throw malformed(path, line, text.trim() === '' ? 'it is empty' : 'it is no valid JSON')
  }
}

function collectLines(
  node: Node | null,
  above: string,
  counter: LineCounter,
  lines: Map<string, number>,
  depth: number,
): void {
  // Core refuses what is deeper.
  if (!isMap(node) || depth > 64) return
  for (const { key, value } of node.items) {
    if (!isScalar(key)) continue
    const path = above === '' ? String(key.value) : `${above}.${String(key.value)}`
    if (key.range) lines.set(path, counter.linePos(key.range[0]).line)
    collectLines(value as Node | null, path, counter, lines, depth + 1)
  }
}
