import { MicroError } from '@micro/core/errors'

/** What is told of a file that cannot be read. */
export function fromFile(error: unknown, what: string): MicroError {
  const code = (error as { code?: string }).code
  const why =
    code === 'ENOENT'
      ? 'it does not exist'
      : code === 'EACCES'
        ? 'it may not be read'
        : code === 'EISDIR'
          ? 'it is a directory'
          : (code ?? String(error))
  return new MicroError('unavailable', `${what}: ${why}`, { cause: error })
}
