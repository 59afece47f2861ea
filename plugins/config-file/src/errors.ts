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
