import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'

export interface Documents {
  readonly url: string
  /** Text by path, and how it is served. */
  readonly texts: Map<string, string | Buffer>
  readonly requests: { readonly path: string; readonly headers: IncomingMessage['headers'] }[]
  /** Takes the next requests instead, until it is taken back. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => void) | undefined
  /** Media type of all documents. */
  type: string
  etags: boolean
  close(): Promise<void>
}

/** A real server of documents: with ETags, and gzip for those who take it. */
export async function serveDocuments(port = 0): Promise<Documents> {
  const texts: Documents['texts'] = new Map()
  const requests: Documents['requests'] = []
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? ''
    requests.push({ path, headers: request.headers })
    if (documents.intercept !== undefined) return documents.intercept(request, response)
    const text = texts.get(path)
    if (text === undefined) {
      response.writeHead(404).end()
      return
    }
    const etag = `"${createHash('sha1').update(text).digest('hex')}"`
    if (documents.etags) response.setHeader('etag', etag)
    if (documents.etags && request.headers['if-none-match'] === etag) {
      response.writeHead(304).end()
      return
    }
    response.setHeader('content-type', documents.type)
    if (String(request.headers['accept-encoding']).includes('gzip')) {
      response.setHeader('content-encoding', 'gzip').end(gzipSync(text))
    } else response.end(text)
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const documents: Documents = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    texts,
    requests,
    intercept: undefined,
    type: 'application/json',
    etags: true,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return documents
}
