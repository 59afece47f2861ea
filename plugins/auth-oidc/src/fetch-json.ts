import { MicroError } from '@micro/core/errors'
import { fromFetch } from './errors.ts'
import type { Settings } from './options.ts'

export type Json = Readonly<Record<string, unknown>>

export interface Fetched {
  readonly json: Json
  /** As it came. */
  readonly text: string
}

/** The JSON object at a URL. @throws `unavailable` naming the URL, with nothing of what was sent. */
export async function fetchJson(
  url: URL,
  init: Pick<RequestInit, 'method' | 'headers' | 'body'>,
  { timeout, maxBytes, fetch = globalThis.fetch }: Pick<Settings, 'timeout' | 'maxBytes' | 'fetch'>,
  signal: AbortSignal,
): Promise<Fetched> {
  const place = url.origin + url.pathname
  const late = AbortSignal.timeout(timeout)
  try {
    const response = await fetch(url, {
      ...init,
      headers: { accept: 'application/json', ...init.headers },
      signal: AbortSignal.any([signal, late]),
      // Whoever else it leads to is not who is trusted.
      redirect: 'error',
    })
    if (response.status !== 200) {
      await response.body?.cancel()
      throw new MicroError('unavailable', `${place}: status ${response.status}`)
    }
    const text = await readText(response, maxBytes, place)
    const json = JSON.parse(text) as unknown
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw new MicroError('unavailable', `${place}: it is no JSON object`)
    }
    return { json: json as Json, text }
  } catch (error) {
    signal.throwIfAborted()
    if (late.aborted) {
      throw new MicroError('unavailable', `${place}: no answer within ${timeout} ms (timeout)`)
    }
    if (error instanceof SyntaxError) {
      // Its message quotes what it could not read.
      throw new MicroError('unavailable', `${place}: it is no JSON`)
    }
    throw fromFetch(error, place)
  }
}

/** What is over the limit is not read to its end. */
async function readText(response: Response, maxBytes: number, place: string): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > maxBytes) {
      throw new MicroError('unavailable', `${place}: over ${maxBytes} bytes (maxBytes)`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
