import { once } from 'node:events'
import { connect, type DetailedPeerCertificate } from 'node:tls'
import type { TlsMaterial } from '@micro/core/identity'
import { makeAuthority, rotatingTls } from '@micro/test-services'
import { describe, expect, test } from 'vitest'
import { collect, startPair } from './support/echo.ts'

const authority = makeAuthority()
const foreign = makeAuthority()

const presented = async (url: string, client: TlsMaterial): Promise<string> => {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), ...client })
  await once(socket, 'secureConnect')
  const { subject } = socket.getPeerCertificate() as DetailedPeerCertificate
  socket.destroy()
  return subject.CN as string
}

describe.each(['http1', 'http2', 'auto'] as const)('mutual TLS, client speaks %s', (protocol) => {
  test('calls and streams go through', async () => {
    const tls = rotatingTls({ ...authority.issue('server'), ca: authority.cert })
    const { echo, url } = await startPair({ tls, protocol })
    expect(url).toMatch(/^https:/)
    expect(await echo.say({ text: 'secret' })).toEqual({ text: 'secret' })
    expect(await collect(echo.count({ to: 3 }))).toEqual([1, 2, 3])
  })
})

test('new connections get the newest certificate, while old ones go on', async () => {
  const tls = rotatingTls({ ...authority.issue('first'), ca: authority.cert })
  const { echo, url } = await startPair({ tls })
  const client = { ...authority.issue('client'), ca: authority.cert }
  expect(await presented(url, client)).toBe('first')
  await echo.say({ text: 'before' })
  tls.rotate({ ...authority.issue('second'), ca: authority.cert })
  await expect.poll(() => presented(url, client)).toBe('second')
  expect(await echo.say({ text: 'after' })).toEqual({ text: 'after' })
})

test('a client without a certificate, or with one of a foreign authority, gets nowhere', async () => {
  const tls = rotatingTls({ ...authority.issue('server'), ca: authority.cert })
  const { url, echo } = await startPair({ tls })
  const { hostname, port } = new URL(url)
  for (const client of [{}, foreign.issue('rogue')]) {
    const socket = connect({ host: hostname, port: Number(port), ca: authority.cert, ...client })
    const refused = new Promise((resolve) => {
      socket.on('error', resolve)
      socket.on('close', resolve)
    })
    socket.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n')
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk.toString()
    })
    await refused
    expect(answer).toBe('')
  }
  expect(await echo.say({ text: 'alive' })).toEqual({ text: 'alive' })
})

test('a server of a foreign authority is not talked to', async () => {
  const good = await startPair({
    tls: rotatingTls({ ...authority.issue('server'), ca: authority.cert }),
  })
  await good.echo.say({ text: 'x' })
  const trustingNobody = rotatingTls({ ...foreign.issue('server'), ca: authority.cert })
  const { echo } = await startPair({ tls: trustingNobody })
  await expect(echo.say({ text: 'secret' })).rejects.toMatchObject({
    code: 'unavailable',
    processed: 'no',
  })
})
