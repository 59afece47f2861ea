import { redisBroker } from '@micro/plugin-broker-redis'
import { redisBinary, startRedis } from '@micro/test-services'
import { Redis } from 'ioredis'
import { type BrokerSide, benchRemoteBroker, microSide } from './remote-brokers.ts'

const partitions = 16

/** Beside bare ioredis on the same streams: without leases, limits, or ids that tell what is repeated. */
export async function benchRedis(): Promise<void> {
  const binary = redisBinary()
  if (binary === undefined) {
    console.log('redis: not there, skipped')
    return
  }
  // It is the clients that are compared, not the disk.
  const server = await startRedis(binary, { args: ['--appendfsync', 'everysec'] })
  const ours = microSide(redisBroker({ url: server.url, partitions }))
  const bare = bareRedis(server.port)
  try {
    await benchRemoteBroker({
      ...{ name: 'redis', ours, bare, bar: 0.9, backlog: 200_000 },
      prepare: async () => undefined,
    })
  } finally {
    await ours.close()
    await bare.close()
    await server.stop()
  }
}

function bareRedis(port: number): BrokerSide {
  const client = new Redis(port, '127.0.0.1')
  const streamOf = (topic: string, at: number): string => `micro:{${topic}}:${at % partitions}`
  let next = 0
  return {
    name: 'bare ioredis',
    async publish(topic, bodies) {
      const pipeline = client.pipeline()
      for (const body of bodies) {
        pipeline.xadd(streamOf(topic, next++), '*', ':body', Buffer.from(body))
      }
      await pipeline.exec()
    },
    async consume(topic, group, handle) {
      const streams = Array.from({ length: partitions }, (_, at) => streamOf(topic, at))
      for (const stream of streams) {
        // There already, when it goes on.
        await client.xgroup('CREATE', stream, group, '$', 'MKSTREAM').catch(() => undefined)
      }
      const reader = client.duplicate()
      const read = ['GROUP', group, 'one', 'COUNT', 100, 'BLOCK', 100, 'STREAMS'] as const
      let stopped = false
      const reading = (async () => {
        while (!stopped) {
          const args = [...read, ...streams, ...streams.map(() => '>')]
          const found = (await reader.callBuffer('XREADGROUP', ...args)) as
            | [Buffer, [Buffer, Buffer[]][]][]
            | null
          const acknowledged: Promise<unknown>[] = []
          for (const [stream, entries] of asPairs(found ?? [])) {
            for (const [, fields] of entries) await handle(fields[1] ?? Buffer.alloc(0))
            acknowledged.push(client.xack(stream, group, ...entries.map(([id]) => String(id))))
          }
          await Promise.all(acknowledged)
        }
      })()
      return async () => {
        stopped = true
        await reading
        reader.disconnect()
      }
    },
    async close() {
      client.disconnect()
    },
  }
}

type Entries = [Buffer, Buffer[]][]

/** Streams and their entries, in pairs or flat, by the version of the protocol. */
function asPairs(found: unknown[]): [Buffer, Entries][] {
  if (Array.isArray(found[0])) return found as [Buffer, Entries][]
  return found.flatMap((one, at) =>
    at % 2 === 0 ? [[one as Buffer, found[at + 1] as Entries]] : [],
  )
}
