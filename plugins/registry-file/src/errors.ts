import { type Code, MicroError } from '@micro/core/errors'

const access = 'let this user read and write there, or set option directory to a place where it may'
const inTheWay =
  'a file stands where a directory must be, or the reverse; remove it or set option directory'
const handles = 'raise the limit of open files'
const space = 'free some space, or set option directory to another disk'

const meanings: Readonly<Record<string, readonly [Code, string]>> = {
  EACCES: ['permission_denied', access],
  EPERM: ['permission_denied', access],
  EROFS: ['permission_denied', access],
  ENOSPC: ['resource_exhausted', space],
  EDQUOT: ['resource_exhausted', space],
  EMFILE: ['resource_exhausted', handles],
  ENFILE: ['resource_exhausted', handles],
  ENOTDIR: ['failed_precondition', inTheWay],
  EEXIST: ['failed_precondition', inTheWay],
  EISDIR: ['failed_precondition', inTheWay],
  ENAMETOOLONG: ['invalid_argument', 'shorten option directory, or the name of the service'],
}

/** What the file system throws, with the path and what to do about it. */
export function fromFileSystem(cause: unknown, root: string): MicroError {
  if (MicroError.is(cause)) return cause
  const { code = '', path, dest } = cause as { code?: string; path?: string; dest?: string }
  const [mapped, fix] = meanings[code] ?? ['unavailable' as const, undefined]
  const what = `${dest ?? path ?? root}: ${code === '' ? String(cause) : code}`
  return new MicroError(mapped, fix === undefined ? what : `${what}: ${fix}`, { cause })
}

/** Whether a file or directory was simply not there. */
export function isMissing(error: unknown): boolean {
  return (error as { code?: string }).code === 'ENOENT'
}

/** Whether a file that was to be new is there already. */
export function isPresent(error: unknown): boolean {
  return (error as { code?: string }).code === 'EEXIST'
}
