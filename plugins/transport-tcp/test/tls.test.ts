import { once } from 'node:events'
import { connect, type DetailedPeerCertificate } from 'node:tls'
import type { TlsMaterial } from '@micro/core/identity'
import { makeAuthority, rotatingTls } from '@micro/test-services'
import { expect, test } from 'vitest'
import { greetedClient, rawClient } from './support/raw-peer.ts'
import { dial, say, serve } from './support/serve.ts'

const authority = makeAuthority()
const foreign = makeAuthority()
const materialOf = (name: string): TlsMaterial => ({ ...authority.issue(name), ca: authority.cert })

async function presented(url: string, client: TlsMaterial): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), ...client })
  await once(socket, 'secureConnect')
  const { subject } = socket.getPeerCertificate() as DetailedPeerCertificate
  socket.destroy()
  return subject.CN as string
}

test('new connections get the newest certificate, while old ones go on', async () => {
  const tls = rotatingTls(materialOf('first'))
  const { url } = await serve({ tls })
  const client = materialOf('client')
  const connection = dial(url, { tls: rotatingTls(client) })
  await say(connection, 'before')
  expect(await presented(url, client)).toBe('first')
  tls.rotate(materialOf('second'))
  await expect.poll(() => presented(url, client)).toBe('second')
  expect(Buffer.from((await say(connection, 'after')).body).toString()).toBe('after')
})

test('a client of a foreign authority is refused, and was not served', async () => {
  let served = 0
  const { url } = await serve(
    { tls: rotatingTls(materialOf('server')) },
    {
      unary(_head, body) {
        served += 1
        return { body }
      },
    },
  )
  const stranger = { ...foreign.issue('stranger'), ca: authority.cert }
  await expect(say(dial(url, { tls: rotatingTls(stranger) }))).rejects.toMatchObject({
    code: 'unavailable',
  })
  expect(served).toBe(0)
})

test('a server of a foreign authority is not called', async () => {
  const material = { ...foreign.issue('server'), ca: foreign.cert }
  const { url } = await serve({ tls: rotatingTls(material) })
  const error = await say(dial(url, { tls: rotatingTls(materialOf('client')) })).catch((e) => e)
  expect(error).toMatchObject({ code: 'unavailable', processed: 'no' })
  expect(error.detail).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY|certificate/i)
})

test('a client that is to use TLS never speaks cleartext, whatever the server asks', async () => {
  const { url } = await serve()
  const connection = dial(url, { tls: rotatingTls(materialOf('client')), connectTimeout: 500 })
  await expect(say(connection)).rejects.toMatchObject({ code: 'unavailable', processed: 'no' })
})

test('a server that is to use TLS takes no cleartext', async () => {
  const { url } = await serve({ tls: rotatingTls(materialOf('server')), connectTimeout: 500 })
  await expect(say(dial(url, { connectTimeout: 500 }))).rejects.toMatchObject({
    code: 'unavailable',
    processed: 'no',
  })
  await expect(greetedClient(url)).rejects.toThrow('closed')
  const silent = await rawClient(url)
  await once(silent.socket, 'close')
})
