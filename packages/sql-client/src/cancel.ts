import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { SqlPoolClient } from './pool.ts'

/** What a client of `pg` knows of its connection. */
interface Backend {
  readonly processID?: number | null
  readonly secretKey?: number | null
  readonly host?: string
  readonly port?: number
  readonly ssl?: boolean | object
}

/**
 * Asks the server to end what a connection is doing, as PostgreSQL's protocol has it: by a connection of
 * its own, which needs no login and no place among the server's connections. Never rejects; without an
 * answer it gives up after `limit` milliseconds.
 */
export function cancelQuery(client: SqlPoolClient, limit: number): Promise<void> {
  const { processID, secretKey, host, port = 5_432, ssl = false } = client as Backend
  if (processID == null || secretKey == null || host === undefined) return Promise.resolve()
  const request = packet(80_877_102, processID, secretKey)
  return new Promise((resolve) => {
    const socket = host.startsWith('/')
      ? connectTcp(`${host}/.s.PGSQL.${port}`)
      : connectTcp(port, host)
    follow(socket, limit, resolve)
    socket.once('connect', () => {
      if (ssl === false) return void socket.end(request)
      socket.write(packet(80_877_103))
      socket.once('data', (answer) => {
        if (answer.toString() !== 'S') return void socket.destroy()
        const secure: TLSSocket = connectTls({ socket, host, ...(ssl === true ? {} : ssl) })
        follow(secure, limit, resolve)
        secure.once('secureConnect', () => secure.end(request))
      })
    })
  })
}

function follow(socket: Socket, limit: number, done: () => void): void {
  socket.setTimeout(limit, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  // The server closes it when it has passed the request on.
  socket.on('close', () => done())
  socket.resume()
}

function packet(...numbers: readonly number[]): Buffer {
  const buffer = Buffer.alloc(4 + numbers.length * 4)
  buffer.writeInt32BE(buffer.length)
  for (const [at, number] of numbers.entries()) buffer.writeInt32BE(number | 0, 4 + at * 4)
  return buffer
}
