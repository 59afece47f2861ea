import type { Http2SecureServer } from 'node:http2'
import type { TlsSource } from '@micro/core/identity'

/** Follows the source's changes: new connections get the newest material. Returns the end of it. */
export function rotate(server: Http2SecureServer, tls: TlsSource): () => void {
  const changes = tls.watch()[Symbol.asyncIterator]()
  const follow = async (): Promise<void> => {
    for (let step = await changes.next(); step.done !== true; step = await changes.next()) {
      const { cert, key, ca } = step.value
      server.setSecureContext({ cert, key, ...(ca === undefined ? {} : { ca }) })
    }
  }
  // A source that fails leaves the last good material in place; it reports its own health.
  follow().catch(() => undefined)
  return () => void changes.return?.()
}
