import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { freePorts } from '@micro/test-services'

export type DnsRecord =
  | { readonly type: 'A' | 'AAAA'; readonly address: string; readonly ttl?: number }
  | {
      readonly type: 'SRV'
      readonly target: string
      readonly port: number
      readonly priority?: number
      readonly weight?: number
      readonly ttl?: number
    }

/** How the server treats questions: well, by an error code, by nothing, by garbage, or by TCP only. */
export type Manner = 'answer' | 'servfail' | 'refuse' | 'silent' | 'garbage' | 'truncate'

export interface DnsServer {
  /** `127.0.0.1:5353` */
  readonly address: string
  readonly zone: Map<string, readonly DnsRecord[]>
  manner: (name: string) => Manner
  /** Names asked for, in order. */
  readonly asked: string[]
  close(): Promise<void>
}

const types = { A: 1, AAAA: 28, SRV: 33 } as const

/** A small authoritative server, over UDP and TCP (RFC 1035). */
export async function startDns(): Promise<DnsServer> {
  const zone = new Map<string, readonly DnsRecord[]>()
  const sockets = new Set<Socket>()
  const udp = createSocket('udp4')
  // One that is free for TCP and given to no client: then nobody has it for UDP either.
  const [port = 0] = await freePorts(1)
  udp.bind(port, '127.0.0.1')
  await once(udp, 'listening')
  const server: DnsServer = {
    address: `127.0.0.1:${port}`,
    zone,
    manner: () => 'answer',
    asked: [],
    async close() {
      for (const socket of sockets) socket.destroy()
      tcp.close()
      udp.close()
      await once(udp, 'close')
    },
  }
  const reply = (query: Buffer, overTcp: boolean): Buffer | undefined => {
    const { name, type, end } = readQuestion(query)
    server.asked.push(name)
    const manner = server.manner(name)
    if (manner === 'silent') return undefined
    if (manner === 'garbage') return Buffer.concat([query.subarray(0, 2), Buffer.alloc(9, 0xff)])
    const code = manner === 'servfail' ? 2 : manner === 'refuse' ? 5 : zone.has(name) ? 0 : 3
    const truncated = manner === 'truncate' && !overTcp
    const records = (zone.get(name) ?? []).filter((record) => types[record.type] === type)
    const answers = code === 0 && !truncated ? records.map(encodeRecord) : []
    const head = Buffer.alloc(12)
    query.copy(head, 0, 0, 2)
    // An authoritative answer.
    head.writeUInt16BE(0x8400 | (truncated ? 0x200 : 0) | code, 2)
    head.writeUInt16BE(1, 4)
    head.writeUInt16BE(answers.length, 6)
    return Buffer.concat([head, query.subarray(12, end), ...answers])
  }
  udp.on('message', (query, { port: from, address }) => {
    const answer = reply(query, false)
    if (answer !== undefined) udp.send(answer, from, address)
  })
  const tcp = createServer((socket) => {
    sockets.add(socket)
    let rest: Buffer = Buffer.alloc(0)
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk])
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const end = 2 + rest.readUInt16BE(0)
        const answer = reply(rest.subarray(2, end), true)
        rest = rest.subarray(end)
        if (answer === undefined) continue
        const length = Buffer.alloc(2)
        length.writeUInt16BE(answer.length)
        socket.write(Buffer.concat([length, answer]))
      }
    })
  })
  tcp.listen(port, '127.0.0.1')
  await once(tcp, 'listening')
  return server
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query[at] as number; length > 0; length = query[at] as number) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

function encodeRecord(record: DnsRecord): Buffer {
  const data = encodeData(record)
  const head = Buffer.alloc(12)
  // The name is that of the question.
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(types[record.type], 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(record.ttl ?? 0, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function encodeData(record: DnsRecord): Buffer {
  if (record.type !== 'SRV') {
    if (record.type === 'A') return Buffer.from(record.address.split('.').map(Number))
    const data = Buffer.alloc(16)
    // Written out in full in these tests.
    for (const [at, group] of record.address.split(':').entries()) {
      data.writeUInt16BE(Number.parseInt(group, 16), 2 * at)
    }
    return data
  }
  const head = Buffer.alloc(6)
  head.writeUInt16BE(record.priority ?? 0, 0)
  head.writeUInt16BE(record.weight ?? 0, 2)
  head.writeUInt16BE(record.port, 4)
  const labels = record.target === '.' ? [] : record.target.split('.')
  const name = labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)])
  return Buffer.concat([head, ...name, Buffer.from([0])])
}
