import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { freePorts } from '../src/free-ports.ts'
import { type PeerLink, startPeerProxy } from '../src/peer-proxy.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** A server that says what it is told. */
async function startEcho(): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined))
    socket.pipe(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  closing.push(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

test('ports are free, and each another one', async () => {
  const ports = await freePorts(20)
  expect(new Set(ports).size).toBe(20)
  const server = createServer().listen(ports[0], '127.0.0.1')
  await once(server, 'listening')
  server.close()
})

test('a link passes bytes on, loses them while it is cut, and has to begin anew', async () => {
  const cut = new Set<string>()
  const links: PeerLink[] = []
  const proxy = await startPeerProxy({
    to: 2,
    target: await startEcho(),
    pids: new Map([[process.pid, 1]]),
    isCut(link) {
      links.push(link)
      return cut.has(`${link.from}-${link.to}`)
    },
  })
  closing.push(() => proxy.stop())
  const socket = await dial(proxy.port)
  let heard = ''
  socket.on('data', (chunk) => {
    heard += String(chunk)
  })
  socket.write('a')
  await expect.poll(() => heard).toBe('a')
  expect(links[0]).toEqual({ from: 1, to: 2 })
  cut.add('1-2')
  proxy.update()
  socket.write('b')
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(heard).toBe('a')
  expect(socket.destroyed).toBe(false)
  cut.clear()
  const closed = once(socket, 'close')
  proxy.update()
  await closed
  const again = await dial(proxy.port)
  again.write('c')
  expect(String((await once(again, 'data'))[0])).toBe('c')
})

test('who is not known gets nowhere', async () => {
  const target = await startEcho()
  const proxy = await startPeerProxy({ to: 2, target, pids: new Map(), isCut: () => false })
  closing.push(() => proxy.stop())
  const socket = await dial(proxy.port)
  await once(socket.resume(), 'close')
})
