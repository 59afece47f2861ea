import { MicroError } from '@micro/core/errors'
import type { JWK } from 'jose'

const maxBytes = 2 ** 20
const timeout = 10_000

/** The keys of a JSON Web Key Set. @throws `unavailable` naming the URL. */
export async function fetchJwks(url: string | URL, signal: AbortSignal): Promise<readonly JWK[]> {
  const place = String(url).split('?')[0]
  try {
    const response = await fetch(url, {
      headers: { accept: 'application/jwk-set+json, application/json' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
      // Whoever else it leads to is not who is trusted.
      redirect: 'error',
    })
    if (response.status !== 200) {
      await response.body?.cancel()
      throw new MicroError('unavailable', `${place}: status ${response.status}`)
    }
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of response.body ?? []) {
      size += chunk.length
      if (size > maxBytes) throw new MicroError('unavailable', `${place}: over ${maxBytes} bytes`)
      chunks.push(chunk)
    }
    const parsed = JSON.parse(Buffer.concat(chunks).toString()) as { keys?: unknown } | null
    const keys = parsed?.keys
    if (!Array.isArray(keys) || keys.some((key) => typeof key !== 'object' || key === null)) {
      throw new MicroError('unavailable', `${place}: it is no JSON Web Key Set`)
    }
    return keys as JWK[]
  } catch (error) {
    if (MicroError.is(error)) throw error
    const { cause = error } = error as { cause?: unknown }
    const why = (cause as { code?: string }).code ?? String(cause)
    throw new MicroError('unavailable', `${place}: ${why}`, { cause: error })
  }
}
