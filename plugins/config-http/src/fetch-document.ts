import { MicroError } from '@micro/core/errors'
import { fromFetch, fromStatus } from './errors.ts'
import type { Settings } from './options.ts'

/** A document as the server gave it. */
export interface Fetched {
  readonly text: string
  readonly type: string
  /** To ask whether it has changed. */
  readonly etag: string | null
  readonly lastModified: string | null
}

/**
 * The document, or `previous` if the server says that it is still that.
 *
 * @throws `unavailable`, `resource_exhausted`, `invalid_argument` naming the URL; or `signal.reason`.
 */
export async function fetchDocument(
  settings: Settings,
  previous: Fetched | undefined,
  signal: AbortSignal | undefined,
): Promise<Fetched> {
  const { url, place, timeout } = settings
  const late = AbortSignal.timeout(timeout)
  const either = signal === undefined ? late : AbortSignal.any([signal, late])
  try {
    const headers = {
      accept: 'application/json, application/yaml, application/toml, */*;q=0.1',
      ...(await settings.headers()),
      ...conditionsOf(previous),
    }
    const response = await fetch(url, { headers, signal: either, redirect: 'manual' })
    if (response.status === 304 && previous !== undefined) return previous
    if (response.status !== 200) {
      await response.body?.cancel()
      throw fromStatus(response.status, place)
    }
    return {
      text: await readText(response, settings),
      type: response.headers.get('content-type') ?? '',
      etag: response.headers.get('etag'),
      lastModified: response.headers.get('last-modified'),
    }
  } catch (error) {
    signal?.throwIfAborted()
    if (late.aborted) {
      throw new MicroError('unavailable', `${place}: no answer within ${timeout} ms (timeout)`)
    }
    throw fromFetch(error, place)
  }
}

/** By RFC 9110, section 13: the ETag is the better of the two. */
function conditionsOf(previous: Fetched | undefined): Record<string, string> {
  if (previous === undefined) return {}
  if (previous.etag !== null) return { 'if-none-match': previous.etag }
  return previous.lastModified === null ? {} : { 'if-modified-since': previous.lastModified }
}

async function readText(response: Response, { place, maxBytes }: Settings): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  // Counted as it comes, uncompressed: a stated length may be missing or wrong.
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > maxBytes) {
      throw new MicroError('resource_exhausted', `${place}: more than ${maxBytes} bytes (maxBytes)`)
    }
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch (error) {
    throw new MicroError('invalid_argument', `${place}: it is no UTF-8`, { cause: error })
  }
}
