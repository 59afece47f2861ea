import { MicroError } from '@micro/core/errors'

/** What is told of a document that does not parse. The parser's message without the text it quotes. */
export function malformed(place: string, line: number | undefined, why: string): MicroError {
  const where = line === undefined ? place : `${place}:${line}`
  return new MicroError('invalid_argument', `${where}: ${why}`)
}
