import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { startKafkaProxy } from '@micro/kafka-suite'
import { expect, test } from 'vitest'

test('addresses of brokers are told as the proxy, however an answer is cut, and nothing is held back', async () => {
  const answer = (port: number) => {
    // It ends with what an address may begin with.
    const body = Buffer.from('xx127.0.0.1pppp yy 127.0.0.1')
    body.writeInt32BE(port, 11)
    const length = Buffer.alloc(4)
    length.writeInt32BE(body.length)
    return Buffer.concat([length, body])
  }
  const server = createServer((socket) => {
    // Each request says where to cut two answers.
    socket.setNoDelay(true)
    socket.on('data', async ([cut = 0]) => {
      const { port } = server.address() as AddressInfo
      const bytes = Buffer.concat([answer(port), answer(port)])
      socket.write(bytes.subarray(0, cut))
      await new Promise((resolve) => setTimeout(resolve, 2))
      socket.write(bytes.subarray(cut))
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const real = (server.address() as AddressInfo).port
  const proxy = await startKafkaProxy([`127.0.0.1:${real}`])
  const told = Number(proxy.brokers[0]?.split(':')[1])
  const wanted = Buffer.concat([answer(told), answer(told)])
  const socket = connect(told, '127.0.0.1')
  let received = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
  })
  try {
    for (let cut = 1; cut < wanted.length; cut++) {
      received = Buffer.alloc(0)
      socket.write(Buffer.from([cut]))
      await expect.poll(() => received.length, { interval: 1 }).toBe(wanted.length)
      expect(received.equals(wanted)).toBe(true)
    }
    proxy.cut(true)
    await once(socket, 'close')
  } finally {
    socket.destroy()
    await proxy.stop()
    server.close()
  }
})
