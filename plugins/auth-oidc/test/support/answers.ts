import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type ProviderKey, stopServer } from './provider.ts'

/** Answers a path: with JSON, or as it likes. */
type Answer = object | ((request: IncomingMessage, response: ServerResponse) => void)

export interface Answering {
  readonly issuer: string
  readonly requests: string[]
  /** May be changed at any time. */
  readonly answers: { document: Answer; keys: Answer; introspection: Answer }
  stop(): Promise<void>
}

/** Says what no real provider would: a server that is well but for what is put in its mouth. */
export async function startAnswering(keys: readonly ProviderKey[] = []): Promise<Answering> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(request.url ?? '')
    const paths: Readonly<Record<string, Answer>> = {
      '/.well-known/openid-configuration': answering.answers.document,
      '/keys': answering.answers.keys,
      '/introspection': answering.answers.introspection,
    }
    const answer =
      paths[request.url ?? ''] ?? ((_: unknown, r: ServerResponse) => r.writeHead(404).end())
    if (typeof answer === 'function') answer(request, response)
    else response.end(JSON.stringify(answer))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const shown = keys.map(({ d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...open }) => open)
  const answering: Answering = {
    issuer,
    requests,
    answers: {
      document: {
        issuer,
        jwks_uri: `${issuer}/keys`,
        introspection_endpoint: `${issuer}/introspection`,
      },
      keys: { keys: shown },
      introspection: { active: false },
    },
    stop: () => stopServer(server),
  }
  return answering
}
