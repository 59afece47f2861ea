import { MicroError } from '@micro/core/errors'

/** What is told of a request that was not answered. */
export function fromFetch(error: unknown, place: string): MicroError {
  if (MicroError.is(error)) return error
  // What fetch says itself is "fetch failed".
  const cause = (error as { cause?: unknown }).cause ?? error
  const { code, message } = cause as { code?: string; message?: string }
  return new MicroError('unavailable', `${place}: ${code ?? message ?? String(cause)}`, {
    cause: error,
  })
}

export function fromStatus(status: number, place: string): MicroError {
  const why =
    status >= 300 && status < 400
      ? `it redirects (status ${status}): give the URL that it leads to`
      : `status ${status}`
  return new MicroError('unavailable', `${place}: ${why}`)
}
