import { type Code, MicroError } from '@micro/core/errors'

const codes: Readonly<Record<string, Code>> = {
  EACCES: 'permission_denied',
  EPERM: 'permission_denied',
  EROFS: 'permission_denied',
  ENOSPC: 'resource_exhausted',
  EDQUOT: 'resource_exhausted',
  EMFILE: 'resource_exhausted',
  ENFILE: 'resource_exhausted',
  ENOTDIR: 'failed_precondition',
  EEXIST: 'failed_precondition',
}

/** What the file system throws, with the path and what to do about it. */
export function fromFileSystem(cause: unknown, path: string): MicroError {
  if (MicroError.is(cause)) return cause
  const { code } = cause as { code?: string }
  const mapped = codes[code ?? ''] ?? 'unavailable'
  const fix =
    mapped === 'failed_precondition'
      ? ': a file stands where a directory must be; see option directory'
      : ''
  return new MicroError(mapped, `${path}: ${code ?? String(cause)}${fix}`, { cause })
}

/** Whether a file or directory was simply not there. */
export function isMissing(error: unknown): boolean {
  return (error as { code?: string }).code === 'ENOENT'
}
