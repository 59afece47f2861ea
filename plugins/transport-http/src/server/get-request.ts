import { MicroError } from '@micro/core/errors'

export interface GetRequest {
  readonly contentType: string
  readonly message: Buffer
  readonly encoding: string | undefined
}

/** The call in the query of a GET. Source: connectrpc.com/docs/protocol, "Unary-Get-Request". */
export function parseGet(query: string, contentTypes: readonly string[]): GetRequest {
  const parameters = new URLSearchParams(query)
  const version = parameters.get('connect')
  if (version !== null && version !== 'v1') throw invalid('connect', 'must be v1')
  const message = parameters.get('message')
  if (message === null) throw invalid('message', 'is missing')
  const encoding = parameters.get('encoding')
  if (encoding === null) throw invalid('encoding', 'is missing')
  const contentType = contentTypes.find((type) => type.slice(type.indexOf('/') + 1) === encoding)
  if (contentType === undefined) {
    throw new MicroError(
      'unimplemented',
      `query parameter encoding "${encoding.slice(0, 40)}" is not known here`,
      {
        processed: 'no',
      },
    )
  }
  const base64 = parameters.get('base64')
  if (base64 !== null && base64 !== '0' && base64 !== '1') throw invalid('base64', 'must be 0 or 1')
  return {
    contentType,
    message: Buffer.from(message, base64 === '1' ? 'base64url' : 'utf8'),
    encoding: parameters.get('compression') ?? undefined,
  }
}

function invalid(name: string, why: string): MicroError {
  return new MicroError('invalid_argument', `query parameter ${name} ${why}`, { processed: 'no' })
}
