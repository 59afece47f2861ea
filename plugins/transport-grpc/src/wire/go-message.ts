import type { Code, MicroError } from '@micro/core/errors'

/** Micro for Go tells failures as JSON in the status message, with the numbers of HTTP. */
const numbers: Readonly<Partial<Record<Code, number>>> = {
  invalid_argument: 400,
  out_of_range: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  deadline_exceeded: 408,
  already_exists: 409,
  aborted: 409,
  failed_precondition: 412,
  resource_exhausted: 429,
  cancelled: 499,
  unknown: 520,
  internal: 500,
  unimplemented: 501,
  unavailable: 503,
}

/** The first name of each number stands for it. */
const codesOf: ReadonlyMap<number, Code> = new Map(
  (Object.entries(numbers) as [Code, number][]).reverse().map(([code, number]) => [number, code]),
)

const texts: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  408: 'Request Timeout',
  409: 'Conflict',
  412: 'Precondition Failed',
  429: 'Too Many Requests',
  499: 'Client Closed Request',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  520: 'Unknown Error',
}

export function writeGoMessage({ code, detail, origin }: MicroError): string {
  const number = numbers[code] ?? 500
  const id = origin?.service ?? 'micro'
  return JSON.stringify({ id, detail, status: texts[number], code: number })
}

/** `undefined` where the message is no such JSON. The code is there if its number is known. */
export function readGoMessage(
  message: string,
): { readonly code: Code | undefined; readonly detail: string } | undefined {
  if (!message.startsWith('{')) return undefined
  try {
    const { detail, code } = JSON.parse(message) as { detail?: unknown; code?: unknown }
    if (typeof detail !== 'string' || typeof code !== 'number') return undefined
    return { code: codesOf.get(code), detail }
  } catch {
    return undefined
  }
}
