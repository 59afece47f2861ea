import { type Code, MicroError } from '@micro/core/errors'

/** Result codes of SQLite, and the ones of `IOERR` and `READONLY` that mean something of their own. */
const codes = {
  error: 1,
  perm: 3,
  busy: 5,
  locked: 6,
  noMemory: 7,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  tooBig: 18,
  constraint: 19,
  mismatch: 20,
  notADatabase: 26,
  moved: 8 | (4 << 8),
  sharedMemoryFull: 10 | (19 << 8),
}

const space = 'free some space on the disk, or raise the limit that was set'
const access = 'let this user read and write there, or give another directory'
const damage =
  'the file is damaged: stop all processes that use it and restore it from a backup, or save what is ' +
  'readable with ".recover" of the sqlite3 shell'

const meanings = new Map<number, readonly [Code, string]>([
  [codes.perm, ['permission_denied', access]],
  [codes.readOnly, ['permission_denied', access]],
  [codes.busy, ['unavailable', 'another process keeps it busy']],
  [codes.locked, ['unavailable', 'another process keeps it busy']],
  [codes.noMemory, ['resource_exhausted', 'there is no memory left']],
  [codes.full, ['resource_exhausted', space]],
  [codes.tooBig, ['resource_exhausted', 'a value is larger than SQLite takes']],
  [codes.corrupt, ['data_loss', damage]],
  // No statement breaks a rule of the tables by itself.
  [codes.constraint, ['data_loss', damage]],
  [codes.mismatch, ['data_loss', damage]],
  [codes.notADatabase, ['data_loss', damage]],
  [codes.ioError, ['unavailable', 'the disk failed']],
  [codes.cannotOpen, ['unavailable', 'look at the directory, and at the limit of open files']],
  [codes.moved, ['unavailable', 'the file was moved or removed while it was open; start anew']],
  [codes.sharedMemoryFull, ['resource_exhausted', space]],
])

const fileMeanings: Readonly<Record<string, readonly [Code, string]>> = {
  EACCES: ['permission_denied', access],
  EPERM: ['permission_denied', access],
  EROFS: ['permission_denied', access],
  ENOSPC: ['resource_exhausted', space],
  EDQUOT: ['resource_exhausted', space],
  EMFILE: ['resource_exhausted', 'raise the limit of open files'],
  ENFILE: ['resource_exhausted', 'raise the limit of open files'],
  ENOTDIR: ['failed_precondition', 'a file stands where a directory must be, or the reverse'],
  EEXIST: ['failed_precondition', 'a file stands where a directory must be, or the reverse'],
  EISDIR: ['failed_precondition', 'a file stands where a directory must be, or the reverse'],
  // A number that no plugin writes.
  ERR_OUT_OF_RANGE: ['data_loss', damage],
  ENAMETOOLONG: ['invalid_argument', 'shorten the directory or the namespace'],
}

/** What SQLite or the file system throws, with the file and what to do about it. */
export function fromSqlite(cause: unknown, file: string): MicroError {
  if (MicroError.is(cause)) return cause
  const { errcode, code = '', message = String(cause) } = cause as SqliteError
  if (errcode === undefined) {
    const [mapped, fix] = fileMeanings[code] ?? ['unavailable' as const, message]
    return new MicroError(mapped, `${file}: ${code === '' ? '' : `${code}: `}${fix}`, { cause })
  }
  const known = meanings.get(errcode) ?? meanings.get(errcode & 0xff)
  const [mapped, fix] = known ?? ['internal' as const, 'this is a defect of the plugin']
  return new MicroError(mapped, `${file}: ${message} (SQLite ${errcode}): ${fix}`, { cause })
}

/** Damage that SQLite itself did not see. */
export function damaged(file: string, what: string): MicroError {
  return new MicroError('data_loss', `${file}: ${what}: ${damage}`)
}

/** The same while the tables are first looked at, where wrong SQL means that they are not what was made. */
export function fromOpening(cause: unknown, file: string): MicroError {
  const { errcode, message } = cause as SqliteError
  return errcode === codes.error ? damaged(file, String(message)) : fromSqlite(cause, file)
}

/** Whether another connection is in the way, for a while. */
export function isBusy(error: unknown): boolean {
  const base = ((error as SqliteError | undefined)?.errcode ?? 0) & 0xff
  return base === codes.busy || base === codes.locked
}

interface SqliteError {
  /** Of SQLite, extended. */
  readonly errcode?: number
  /** Of Node. */
  readonly code?: string
  readonly message?: string
}
