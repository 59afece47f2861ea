import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** All the brokers of a Kafka, as one client sees them. */
export interface KafkaProxy {
  /** For clients. */
  readonly brokers: readonly string[]
  /** Ends all connections, and takes no others until it is told so. */
  cut(off: boolean): void
  /** Kafka gets the next request; its answer is lost, with the connection. */
  loseAnswer(): void
  stop(): Promise<void>
}

/**
 * Passes the connections of one client on to a Kafka. Where Kafka tells of its brokers, it tells of this
 * proxy instead, or a client would go around it. Not over TLS, behind which nothing can be told.
 */
export async function startKafkaProxy(brokers: readonly string[]): Promise<KafkaProxy> {
  const sockets = new Set<Socket>()
  let isCut = false
  let isLosing = false
  const replacements: [real: Buffer, told: Buffer][] = []
  const servers: Server[] = []
  for (const broker of brokers) {
    const { hostname, port } = new URL(`kafka://${broker}`)
    const server = createServer((inbound) => {
      if (isCut) {
        inbound.destroy()
        return
      }
      const outbound = connect(Number(port), hostname)
      const translate = translator(replacements)
      for (const socket of [inbound, outbound]) {
        socket.setNoDelay(true)
        socket.on('error', () => undefined)
        sockets.add(socket)
        socket.once('close', () => {
          sockets.delete(socket)
          inbound.destroy()
          outbound.destroy()
        })
      }
      let isLost = false
      inbound.on('data', (chunk) => {
        isLost ||= isLosing
        isLosing = false
        outbound.write(chunk)
      })
      outbound.on('data', (chunk) => {
        if (isLost) outbound.destroy()
        else inbound.write(translate(chunk))
      })
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    servers.push(server)
    const own = (server.address() as AddressInfo).port
    replacements.push([addressOf(hostname, Number(port)), addressOf(hostname, own)])
  }
  const destroyAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    brokers: servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`),
    cut(off) {
      isCut = off
      if (off) destroyAll()
    },
    loseAnswer() {
      isLosing = true
    },
    async stop() {
      destroyAll()
      for (const server of servers) if (server.listening) await once(server.close(), 'close')
    },
  }
}

/** A broker's address as it stands in answers. */
function addressOf(host: string, port: number): Buffer {
  const text = Buffer.from(`${host}1234`)
  text.writeInt32BE(port, host.length)
  return text
}

/** Of one stream, answer by answer: an address may come in two pieces. */
function translator(replacements: readonly (readonly [Buffer, Buffer])[]) {
  let chunks: Buffer[] = []
  let length = 0
  /** Where the answer ends that has begun; before its length is known, where that ends. */
  let end = 4
  return (chunk: Buffer): Buffer => {
    chunks.push(chunk)
    length += chunk.length
    if (length < end) return Buffer.alloc(0)
    const bytes = Buffer.concat(chunks)
    let at = 0
    while (bytes.length - at >= 4 && bytes.length - at >= 4 + bytes.readInt32BE(at)) {
      const next = at + 4 + bytes.readInt32BE(at)
      translate(bytes.subarray(at, next), replacements)
      at = next
    }
    const rest = bytes.subarray(at)
    chunks = [rest]
    length = rest.length
    end = length < 4 ? 4 : 4 + rest.readInt32BE(0)
    return bytes.subarray(0, at)
  }
}

function translate(answer: Buffer, replacements: readonly (readonly [Buffer, Buffer])[]): void {
  for (const [real, told] of replacements) {
    for (let at = answer.indexOf(real); at >= 0; at = answer.indexOf(real, at))
      told.copy(answer, at)
  }
}
