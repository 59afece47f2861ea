import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach } from 'vitest'

const opened: (() => void)[] = []
afterEach(() => {
  for (const close of opened.splice(0).reverse()) close()
})

/** Numbers of the specification, written out: what a second implementation would write. */
export const type = {
  hello: 1,
  method: 2,
  request: 3,
  data: 4,
  end: 5,
  reply: 6,
  open: 7,
  error: 8,
  credit: 9,
  cancel: 10,
  stop: 11,
  ping: 12,
  pong: 13,
  goAway: 14,
} as const

export interface RawFrame {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly payload: Buffer
}

/** A peer that writes what it is told to, right or wrong. */
export interface RawPeer {
  readonly socket: Socket
  /** Bytes as they are. */
  write(bytes: Uint8Array): void
  send(type: number, id: number, payload?: Uint8Array, flags?: number): void
  /** The next frame of one of `types`, others passed over. Rejects when the connection closes. */
  frame(...types: readonly number[]): Promise<RawFrame>
  /** Why it was turned away; resolves once the connection has closed. */
  refused(): Promise<string>
}

export const hello: Buffer = Buffer.from(
  '4d54435001' + '00400000' + '00004000' + '00002710' + '00080000',
  'hex',
)

export function encode(kind: number, id: number, payload?: Uint8Array, flags = 0): Buffer {
  const bytes = Buffer.alloc(10 + (payload?.length ?? 0))
  bytes.writeUInt32BE(payload?.length ?? 0)
  bytes[4] = kind
  bytes[5] = flags
  bytes.writeUInt32BE(id, 6)
  bytes.set(payload ?? [], 10)
  return bytes
}

/** A request for method 0 without deadline and metadata. */
export function request(body: string | Uint8Array = '', method = 0): Buffer {
  const head = Buffer.from('00000000ffffffff00000000', 'hex')
  head.writeUInt32BE(method)
  return Buffer.concat([head, Buffer.from(body as string)])
}

export function methodOf(name: string, service = 'conformance'): Buffer {
  return Buffer.from(`${service}\0${name}\0application/json`)
}

function rawPeer(socket: Socket): RawPeer {
  const frames: RawFrame[] = []
  let rest: Buffer = Buffer.alloc(0)
  let wake: (() => void) | undefined
  let closed = false
  opened.push(() => socket.destroy())
  // What a peer is told by a reset is told by `close`, too.
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 10 && rest.length >= 10 + rest.readUInt32BE(0)) {
      const end = 10 + rest.readUInt32BE(0)
      const payload = rest.subarray(10, end)
      frames.push({
        type: rest[4] as number,
        flags: rest[5] as number,
        id: rest.readUInt32BE(6),
        payload,
      })
      rest = rest.subarray(end)
    }
    wake?.()
  })
  socket.on('close', () => {
    closed = true
    wake?.()
  })
  const peer: RawPeer = {
    socket,
    write: (bytes) => void socket.write(bytes),
    send: (kind, id, payload, flags) => void socket.write(encode(kind, id, payload, flags)),
    async frame(...types) {
      for (;;) {
        const next = frames.shift()
        if (next !== undefined && (types.length === 0 || types.includes(next.type))) return next
        if (next !== undefined) continue
        if (closed) throw new Error(`closed before a frame of ${types.join(' or ')}`)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    async refused() {
      const { payload } = await peer.frame(type.goAway)
      const reason = payload.toString('utf8', 4)
      if (!closed) await once(socket, 'close')
      return reason
    },
  }
  return peer
}

/** A client that has not said hello yet. */
export async function rawClient(url: string): Promise<RawPeer> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  return rawPeer(socket)
}

/** A client that has, and knows the method `say` by 0 and the stream `both` by 1. */
export async function greetedClient(url: string): Promise<RawPeer> {
  const peer = await rawClient(url)
  peer.send(type.hello, 0, hello)
  await peer.frame(type.hello)
  peer.send(type.method, 0, methodOf('say'))
  peer.send(type.method, 1, methodOf('both'))
  return peer
}

/** A server that greets nobody by itself. */
export async function rawServer(
  onPeer: (peer: RawPeer) => void,
): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer((socket) => onPeer(rawPeer(socket)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  opened.push(() => server.close())
  const { port } = server.address() as { port: number }
  return { url: `tcp://127.0.0.1:${port}`, server }
}
