import { MicroError } from '@micro/core/errors'

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'it does not exist',
  EACCES: 'it may not be read',
  EISDIR: 'it is a directory',
  ELOOP: 'its links lead in a circle',
}

export function isMissing(error: unknown): boolean {
  const code = (error as { code?: string } | undefined)?.code
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** What is told of a file that cannot be read. */
export function fromFile(error: unknown, path: string): MicroError {
  if (MicroError.is(error)) return error
  const code = (error as { code?: string }).code ?? ''
  const why = reasons[code] ?? (code || String(error))
  return new MicroError('unavailable', `${path}: ${why}`, { cause: error })
}

/** What is told of a document that does not parse. The parser's message without the text it quotes. */
export function malformed(path: string, line: number | undefined, why: string): MicroError {
  const place = line === undefined ? path : `${path}:${line}`
  return new MicroError('invalid_argument', `${place}: ${why}`)
}
