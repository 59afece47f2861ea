import { Composer, CST, type Document, Lexer, type ParsedNode, Parser } from 'yaml'
import { malformed, malformedAt } from './errors.ts'
import { binary } from './tags.ts'

/**
 * The one document of a text. What is dangerous is refused token by token, before anything is made of
 * it: nesting without end, aliases, which a few lines multiply to billions, tags and directives.
 *
 * @throws `invalid_argument`.
 */
export function parse(text: string, maxDepth: number): Document.Parsed<ParsedNode> {
  const control = text.search(unprintable)
  if (control !== -1) throw malformedAt(text, control, 'a control character')
  const composer = new Composer({
    schema: 'core',
    version: '1.2',
    customTags: [binary],
    resolveKnownTags: false,
    intAsBigInt: true,
    stringKeys: true,
    // Compares each key with all others, which takes minutes for large maps; `toPlain` looks instead.
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
  })
  const [document, second] = composer.compose(tokens(text, maxDepth), true, text.length)
  if (document === undefined || second !== undefined) throw malformed('more than one document')
  const problem = document.errors[0] ?? document.warnings[0]
  if (problem !== undefined) throw malformedAt(text, problem.pos[0], problem.message)
  return document
}

/** Only YAML's own line breaks and tabs stand in it as they are; others are escaped. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unprintable = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/

function* tokens(text: string, maxDepth: number): Generator<CST.Token> {
  const parser = new Parser()
  let isContent = false
  for (const lexeme of new Lexer().lex(text)) {
    const type: Lexical = isContent ? 'content' : CST.tokenType(lexeme)
    const why = refusal(type, lexeme)
    if (why !== undefined) throw malformedAt(text, parser.offset, why)
    // What follows this mark is the text of a scalar, whatever it looks like.
    isContent = type === 'scalar'
    for (const token of parser.next(lexeme)) {
      if (token.type === 'error') throw malformedAt(text, token.offset, token.message)
      yield token
    }
    // The document and a scalar stand on the stack too.
    if (parser.stack.length > maxDepth + 2) {
      const why = `nested deeper than ${maxDepth} levels, the limit maxDepth`
      throw malformedAt(text, parser.offset, why)
    }
  }
  yield* parser.end()
}

type Lexical = CST.TokenType | 'content' | null

function refusal(type: Lexical, lexeme: string): string | undefined {
  switch (type) {
    case 'alias':
    case 'anchor':
      return `anchors and aliases are not read: ${lexeme}`
    case 'tag':
      return lexeme === '!!binary' ? undefined : `the tag ${lexeme} is not read`
    case 'directive-line':
      return /^%YAML 1\.2\s*$/.test(lexeme) ? undefined : `the directive ${lexeme} is not read`
    default:
      return undefined
  }
}
