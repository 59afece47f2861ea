import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Who connects to whom, by number. */
export interface PeerLink {
  readonly from: number
  readonly to: number
}

export interface PeerProxyOptions {
  readonly to: number
  /** Port that connections are passed on to. */
  readonly target: number
  /** Which number each process has. */
  readonly pids: ReadonlyMap<number, number>
  readonly isCut: (link: PeerLink) => boolean
}

export interface PeerProxy {
  readonly port: number
  /** Looks again which links are cut. */
  update(): void
  stop(): Promise<void>
}

interface Passage {
  readonly link: PeerLink
  readonly sockets: readonly [Socket, Socket]
  /** It has lost something, and is of no more use. */
  broken: boolean
}

/**
 * Passes connections on, unless their link is cut: then bytes get lost without a word, as behind a
 * switch that fails, and once it works again both sides have to begin anew.
 */
export async function startPeerProxy(options: PeerProxyOptions): Promise<PeerProxy> {
  const { to, target, pids, isCut } = options
  const passages = new Set<Passage>()
  const server = createServer((inbound) => {
    const from = ownerOf(inbound.remotePort ?? 0, pids)
    if (from === undefined) return void inbound.destroy()
    const outbound = connect(target, '127.0.0.1')
    const passage: Passage = { link: { from, to }, sockets: [inbound, outbound], broken: false }
    passages.add(passage)
    pass(inbound, outbound)
    pass(outbound, inbound)

    function pass(source: Socket, sink: Socket): void {
      source.setNoDelay(true)
      source.on('data', (chunk) => {
        if (isCut(passage.link)) passage.broken = true
        else sink.write(chunk)
      })
      source.on('error', () => undefined)
      source.on('close', () => {
        sink.destroy()
        passages.delete(passage)
      })
    }
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    update() {
      for (const { link, sockets, broken } of passages) {
        if (broken && !isCut(link)) for (const socket of sockets) socket.destroy()
      }
    },
    async stop() {
      for (const { sockets } of passages) for (const socket of sockets) socket.destroy()
      if (server.listening) await once(server.close(), 'close')
    },
  }
}

/** The number of the process that a local port belongs to, by what the kernel tells in `/proc`. */
function ownerOf(port: number, pids: ReadonlyMap<number, number>): number | undefined {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const line = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .find((entry) => entry.trim().split(/\s+/)[1]?.endsWith(local))
  const inode = line?.trim().split(/\s+/)[9]
  if (inode === undefined || inode === '0') return undefined
  for (const [pid, number] of pids) {
    if (handlesOf(pid).includes(`socket:[${inode}]`)) return number
  }
  return undefined
}

function handlesOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`)
      } catch {
        return ''
      }
    })
  } catch {
    return []
  }
}
