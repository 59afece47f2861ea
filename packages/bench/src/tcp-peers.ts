import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { ClientTCP } from '@nestjs/microservices'
import { type BrokerOptions, ServiceBroker } from 'moleculer'
import { firstValueFrom } from 'rxjs'
import { createFramedSocket } from './bare-framing.ts'

/** A peer's client: one call, and the end. */
export interface TcpPeer {
  readonly name: string
  readonly call: (message: unknown) => Promise<unknown>
  readonly close: () => unknown
}

export async function bareClient(url: string): Promise<TcpPeer> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  const waiting = new Map<number, (message: unknown) => void>()
  let lastId = 0
  const send = createFramedSocket(socket, (id, message) => {
    const resolve = waiting.get(id)
    waiting.delete(id)
    resolve?.(message)
  })
  return {
    name: 'length-prefixed JSON on node:net',
    call: (message) =>
      new Promise((resolve) => {
        lastId += 1
        waiting.set(lastId, resolve)
        send(lastId, message)
      }),
    close: () => socket.destroy(),
  }
}

export async function moleculerClient(url: string): Promise<TcpPeer> {
  const { port, pathname } = new URL(url)
  const ports = { server: Number(port), client: Number(pathname.slice(1)) }
  const broker = new ServiceBroker(moleculerOptions('client', ports))
  await broker.start()
  await broker.waitForServices('remote')
  return {
    name: 'Moleculer TCP',
    call: (message) => broker.call('remote.echo', message as object),
    close: () => broker.stop(),
  }
}

export async function nestClient(url: string): Promise<TcpPeer> {
  const { hostname, port } = new URL(url)
  const client = new ClientTCP({ host: hostname, port: Number(port) })
  await client.connect()
  return {
    name: 'NestJS TCP',
    call: (message) => firstValueFrom(client.send('echo', message)),
    close: () => client.close(),
  }
}

export function moleculerOptions(
  nodeID: 'server' | 'client',
  ports: Record<'server' | 'client', number>,
): BrokerOptions {
  // Its types know fewer options than it has.
  const options: object = {
    udpDiscovery: false,
    port: ports[nodeID],
    urls: Object.entries(ports).map(([id, port]) => `127.0.0.1:${port}/${id}`),
  }
  return { nodeID, logger: false, transporter: { type: 'TCP', options } }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
