import { once } from 'node:events'
import { connect, type DetailedPeerCertificate } from 'node:tls'
import type { TlsMaterial } from '@micro/core/identity'
import type { Peer } from '@micro/core/transport'
import { makeAuthority, rotatingTls } from '@micro/test-services'
import { expect, test } from 'vitest'
import { dial, failure, say, serve } from './support/serve.ts'

const authority = makeAuthority()
const foreign = makeAuthority()
const material = (name: string) => ({ ...authority.issue(name), ca: authority.cert })

async function presented(url: string, client: TlsMaterial): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect({
    host: hostname,
    port: Number(port),
    ALPNProtocols: ['h2'],
    ...client,
  })
  await once(socket, 'secureConnect')
  const { subject } = socket.getPeerCertificate() as DetailedPeerCertificate
  socket.destroy()
  return subject.CN as string
}

test('both sides rotate: new connections show the newest certificate, calls go on', async () => {
  const serverTls = rotatingTls(material('first'))
  const clientTls = rotatingTls(material('client-1'))
  const peers: Peer[] = []
  const { url } = await serve(
    { tls: serverTls },
    {
      unary(_head, body, _context, peer) {
        peers.push(peer)
        return { body }
      },
    },
  )
  expect(url).toMatch(/^grpcs:/)
  const connection = dial(url, { tls: clientTls })
  await say(connection, 'before')
  await say(connection, 'again')
  // One connection for both, and what it has shown is told.
  expect(peers[1]).toBe(peers[0])
  expect(peers[0]?.certificate?.fingerprint).toMatch(/^[0-9a-f]{64}$/)

  serverTls.rotate(material('second'))
  await expect.poll(() => presented(url, material('reader'))).toBe('second')
  await say(connection, 'still')
  expect(peers[2]).toBe(peers[0])

  clientTls.rotate(material('client-2'))
  expect((await say(connection, 'after')).body.toString()).toBe('after')
  expect(peers[3]?.certificate?.fingerprint).not.toBe(peers[0]?.certificate?.fingerprint)
})

test('a client without a certificate, or with one of a foreign authority, gets nowhere', async () => {
  const { url } = await serve({ tls: rotatingTls(material('server')) })
  for (const shown of [{}, foreign.issue('rogue')]) {
    const tls = rotatingTls({ ...shown, ca: authority.cert })
    expect(await failure(say(dial(url, { tls })))).toMatchObject({ code: 'unavailable' })
  }
  const tls = rotatingTls(material('good'))
  expect((await say(dial(url, { tls }), 'alive')).body.toString()).toBe('alive')
})

test('a server of a foreign authority, or with another name, is not talked to', async () => {
  const rogue = rotatingTls({ ...foreign.issue('server'), ca: authority.cert })
  const { url } = await serve({ tls: rogue })
  const connection = dial(url, { tls: rotatingTls(material('client')) })
  expect(await failure(say(connection))).toMatchObject({ code: 'unavailable', processed: 'no' })
})

test('cleartext and TLS do not mix', async () => {
  const tls = rotatingTls(material('server'))
  const { url } = await serve({ tls })
  expect(() => dial(url)).toThrow(/announces grpcs:.*no tls option/)
  const plain = await serve()
  expect(() => dial(plain.url, { tls })).toThrow(/announces grpc:.*TLS only/)
  const lying = dial(plain.url.replace('grpc:', 'grpcs:'), { tls })
  expect(await failure(say(lying))).toMatchObject({ code: 'unavailable', processed: 'no' })
  const other = dial(url.replace('grpcs:', 'grpc:'))
  expect(await failure(say(other))).toMatchObject({ code: 'unavailable', processed: 'no' })
})
