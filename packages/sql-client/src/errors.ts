import { type Code, MicroError, type Processed } from '@micro/core/errors'

interface Meaning {
  readonly code: Code
  readonly fix?: string
  /** What is known of the statement that failed so. */
  readonly processed: Processed
}

const prepared = 'a pooler does not keep prepared statements; set option prepare to false'
const schema =
  'create the tables: let option migrate do it, or run what storeSchema or syncSchema print'

/** By SQLSTATE, of which two characters name a class. The longest that fits counts. */
const meanings: Readonly<Record<string, Meaning>> = {
  '0A000': { code: 'unavailable', processed: 'no' },
  '08': { code: 'unavailable', processed: 'unknown' },
  '22': { code: 'internal', processed: 'no' },
  '23': { code: 'internal', processed: 'no' },
  '25006': {
    code: 'unavailable',
    fix: 'the server is read-only: connect to the primary',
    processed: 'no',
  },
  '25P03': { code: 'unavailable', processed: 'no' },
  '26000': { code: 'failed_precondition', fix: prepared, processed: 'no' },
  '28': {
    code: 'unauthenticated',
    fix: 'check user, password and certificate',
    processed: 'no',
  },
  '3D000': { code: 'failed_precondition', fix: 'create the database', processed: 'no' },
  '3F000': { code: 'failed_precondition', fix: 'create the schema', processed: 'no' },
  '40': { code: 'aborted', processed: 'no' },
  '40003': { code: 'unavailable', processed: 'unknown' },
  '42': { code: 'internal', processed: 'no' },
  '42501': { code: 'permission_denied', fix: 'grant it to this user', processed: 'no' },
  '42P01': { code: 'failed_precondition', fix: schema, processed: 'no' },
  '42703': { code: 'failed_precondition', fix: schema, processed: 'no' },
  '42P05': { code: 'failed_precondition', fix: prepared, processed: 'no' },
  '53': { code: 'resource_exhausted', processed: 'no' },
  '53100': {
    code: 'resource_exhausted',
    fix: 'the disk of the server is full; records can still be read',
    processed: 'no',
  },
  '53300': {
    code: 'resource_exhausted',
    fix: 'the server takes no more connections: lower maxConnections, or raise its limit',
    processed: 'no',
  },
  '54': { code: 'resource_exhausted', processed: 'no' },
  '55P03': { code: 'aborted', processed: 'no' },
  '57014': {
    code: 'deadline_exceeded',
    fix: 'the server ended the statement, by its statement_timeout or by hand',
    processed: 'no',
  },
  '57P03': { code: 'unavailable', processed: 'no' },
  '57': { code: 'unavailable', processed: 'unknown' },
  '58': { code: 'unavailable', processed: 'unknown' },
  XX: { code: 'internal', processed: 'unknown' },
}

const certificates = /CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME|ERR_(SSL|TLS)/

/** What `pg` throws, as an error of this library with the host and, where there is one, the fix. */
export function fromSql(cause: unknown, host: string): MicroError {
  if (MicroError.is(cause)) return cause
  const { code = '', message = String(cause) } = cause as { code?: string; message?: string }
  const meaning = isState(code) ? (meanings[code] ?? meanings[code.slice(0, 2)]) : undefined
  if (meaning === undefined) {
    return new MicroError('unavailable', `database at ${host}: ${message || code}`, { cause })
  }
  const what = `database at ${host}: ${message} (${code})`
  return new MicroError(
    meaning.code,
    meaning.fix === undefined ? what : `${what}: ${meaning.fix}`,
    {
      cause,
      processed: meaning.processed,
    },
  )
}

/** The same for a failure to get a connection, when nothing can have been done yet. */
export function fromConnecting(cause: unknown, host: string, waited: number): MicroError {
  const { code = '', message = '' } = cause as { code?: string; message?: string }
  if (message === 'timeout exceeded when trying to connect') {
    return new MicroError(
      'resource_exhausted',
      `database at ${host}: none of the pool's connections became free within ${waited} ms: ` +
        'raise option maxConnections, or make fewer calls at once',
      { cause, processed: 'no' },
    )
  }
  if (certificates.test(code) || message.includes('does not support SSL')) {
    return new MicroError(
      'failed_precondition',
      `database at ${host}: ${message}: check option tls and the server's certificate`,
      { cause, processed: 'no' },
    )
  }
  return fromSql(cause, host).with({ processed: 'no', cause })
}

/** Whether a transaction met another one and was undone: doing it again is what the server asks for. */
export function isConflict(error: MicroError): boolean {
  const { code } = (error.cause ?? {}) as { code?: string }
  return error.code === 'aborted' && code !== undefined && /^(40|55P03)/.test(code)
}

/** Whether the connection it came from is of no more use. */
export function endsConnection(cause: unknown): boolean {
  const { code } = cause as { code?: string }
  return !isState(code ?? '') || /^(0A000|08|25006|25P03|26000|42P05|57P|58|XX)/.test(code ?? '')
}

function isState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code)
}
