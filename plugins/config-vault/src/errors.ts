import { MicroError } from '@micro/core/errors'

/** What is told of a request that was not answered. */
export function fromFetch(error: unknown, address: string): MicroError {
  if (MicroError.is(error)) return error
  // What fetch says itself is "fetch failed".
  const cause = (error as { cause?: unknown }).cause ?? error
  const { code, message } = cause as { code?: string; message?: string }
  return new MicroError('unavailable', `${address}: ${code ?? message ?? String(cause)}`, {
    cause: error,
  })
}

/** Vault's own statuses: https://developer.hashicorp.com/vault/api-docs#http-status-codes */
const reasons: Readonly<Record<number, string>> = {
  400: 'it takes the request or the credentials for wrong',
  403: 'the token may not do this, or is none',
  404: 'there is no such thing',
  429: 'it is overloaded, or a standby',
  472: 'it is a standby',
  473: 'it is a standby',
  501: 'it is not initialized',
  503: 'it is sealed, or down',
}

export function fromStatus(status: number, what: string): MicroError {
  const code = status === 403 ? 'permission_denied' : 'unavailable'
  return new MicroError(code, `${what}: status ${status}: ${reasons[status] ?? 'it failed'}`)
}
