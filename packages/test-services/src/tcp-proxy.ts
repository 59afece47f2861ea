import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/**
 * What becomes of bytes that a client sent: `cut` loses them and ends the connection; `pass-and-cut`
 * lets the server have them, and ends the connection before its answer gets through.
 */
export type Verdict = 'pass' | 'cut' | 'pass-and-cut'

export interface TcpProxy {
  readonly port: number
  /** Connections that are open now. */
  readonly connections: number
  /** Ends all connections. */
  cutAll(): void
  /** From now on bytes stay where they are, as behind a cable that was pulled. */
  hold(): void
  release(): void
  stop(): Promise<void>
}

/** Passes connections on to a port of this machine, as far as a test lets it. */
export async function startTcpProxy(
  target: number,
  decide: (chunk: Buffer) => Verdict = () => 'pass',
): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let held = false
  const server = createServer((inbound) => {
    const outbound = connect(target, '127.0.0.1')
    for (const socket of [inbound, outbound]) {
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      if (held) socket.pause()
    }
    const cut = (): void => {
      inbound.destroy()
      outbound.destroy()
    }
    let isLost = false
    inbound.on('data', (chunk) => {
      const verdict = isLost ? 'pass' : decide(chunk)
      if (verdict === 'cut') return cut()
      outbound.write(chunk)
      if (verdict === 'pass') return
      // The server goes on until it answers: only then does it find that nobody is there.
      isLost = true
      inbound.destroy()
    })
    outbound.on('data', (chunk) => {
      if (isLost) outbound.destroy()
      else inbound.write(chunk)
    })
    inbound.once('close', () => {
      if (!isLost) outbound.destroy()
    })
    outbound.once('close', cut)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const cutAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return sockets.size / 2
    },
    cutAll,
    hold() {
      held = true
      for (const socket of sockets) socket.pause()
    },
    release() {
      held = false
      for (const socket of sockets) socket.resume()
    },
    async stop() {
      cutAll()
      if (server.listening) await once(server.close(), 'close')
    },
  }
}
