import { type Code, MicroError, type Processed } from '@micro/core/errors'

interface Meaning {
  readonly says: RegExp
  readonly code: Code
  readonly fix?: string
  readonly processed?: Processed
}

/** What etcd and grpc-js say, by their words: etcd3 keeps neither the status nor its details. */
const meanings: readonly Meaning[] = [
  {
    // The second is of its gRPC, for what is larger still.
    says: /request is too large|grpc: received message larger than max/,
    code: 'resource_exhausted',
    fix: 'write less at once, or raise --max-request-bytes of etcd (1.5 MiB unless set)',
  },
  {
    says: /too many operations in txn/,
    code: 'resource_exhausted',
    fix: 'use fewer operations, or raise --max-txn-ops of etcd (128 unless set)',
  },
  {
    says: /database space exceeded/,
    code: 'resource_exhausted',
    fix: 'etcd is read-only until it is compacted, defragmented and its alarm disarmed',
  },
  {
    says: /Received message larger than max/,
    code: 'resource_exhausted',
    fix: 'raise option maxMessageSize',
  },
  {
    says: /user name is empty/,
    code: 'unauthenticated',
    fix: 'etcd has authentication enabled; set options user and password',
  },
  {
    says: /invalid user ID or password/,
    code: 'unauthenticated',
    fix: 'check options user and password',
  },
  { says: /invalid auth token/, code: 'unauthenticated', processed: 'no' },
  // The rights of some user were changed since the token was made.
  { says: /auth store is old|revision in header is old/, code: 'unauthenticated', processed: 'no' },
  {
    says: /authentication is not enabled/,
    code: 'failed_precondition',
    fix: 'remove options user and password, or enable authentication in etcd',
  },
  {
    says: /permission denied/,
    code: 'permission_denied',
    fix: 'grant a role of the user read and write on this prefix',
  },
  { says: /has been compacted/, code: 'out_of_range' },
  { says: /future revision/, code: 'out_of_range' },
  { says: /lease not found/, code: 'not_found' },
  // Nothing was sent yet, or a member without a leader sent it back.
  {
    says: /No connection established|Name resolution failed|Channel closed before|no leader/,
    code: 'unavailable',
    processed: 'no',
  },
]

/** gRPC's numbers whose failures are of this kind whatever the words; all others are `unavailable`. */
const byStatus: Readonly<Record<string, Code>> = {
  3: 'invalid_argument',
  7: 'permission_denied',
  8: 'resource_exhausted',
  9: 'failed_precondition',
  12: 'unimplemented',
  16: 'unauthenticated',
}

/**
 * What etcd3 throws, as an error of this library with the host and, where there is one, the fix.
 *
 * `not_found` is a lease that has ended, `out_of_range` a revision that has been compacted.
 */
export function fromEtcd(cause: unknown, host: string, timeout: number): MicroError {
  if (MicroError.is(cause)) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  const [, status = '', said = message] =
    /(?:^|\s)(\d{1,2}) [A-Z_]+: ([\s\S]*)$/.exec(message) ?? []
  if (status === '4') {
    return new MicroError('unavailable', `etcd at ${host}: no answer within ${timeout} ms`, {
      cause,
    })
  }
  const meaning = meanings.find(({ says }) => says.test(said))
  const code = meaning?.code ?? byStatus[status] ?? 'unavailable'
  const what = `etcd at ${host}: ${said}`
  return new MicroError(code, meaning?.fix === undefined ? what : `${what}: ${meaning.fix}`, {
    cause,
    processed: meaning?.processed,
  })
}

/** Whether a token was refused that a new login may replace. */
export function isStaleToken(error: MicroError): boolean {
  return error.code === 'unauthenticated' && error.processed === 'no'
}

/** Whether the members are without a leader, which they are for a moment after they have lost one. */
export function isElecting(error: MicroError): boolean {
  return error.code === 'unavailable' && /no leader/.test(error.detail)
}
