import { natsBroker } from '@micro/plugin-broker-nats'
import { natsBinary, startNats } from '@micro/test-services'
import {
  AckPolicy,
  type ConsumerMessages,
  DeliverPolicy,
  type JetStreamManager,
  jetstreamManager,
} from '@nats-io/jetstream'
import { connect, nuid } from '@nats-io/transport-node'
import { type BrokerSide, benchRemoteBroker, microSide } from './remote-brokers.ts'

const lanes = 16

/** Beside bare nats.js on the same streams: one consumer without order, and one for each lane with it. */
export async function benchNats(): Promise<void> {
  const binary = natsBinary()
  if (binary === undefined) {
    console.log('nats: not there, skipped')
    return
  }
  const server = await startNats(binary)
  const connection = await connect({ servers: server.url, noAsyncTraces: true })
  const manager = await jetstreamManager(connection)
  try {
    for (const ordered of [false, true]) {
      const broker = natsBroker({ servers: server.url, lanes, ordered })
      const ours = microSide(broker)
      await benchRemoteBroker({
        name: ordered ? 'nats, in order of the key' : 'nats',
        ours,
        bare: bareNats(manager, ordered),
        bar: 0.9,
        backlog: 40_000,
        // The first message makes the stream.
        prepare: (topic) => broker.publish(topic, [{ body: new Uint8Array(), headers: {} }]),
      })
      await ours.close()
    }
  } finally {
    await connection.close()
    await server.stop()
  }
}

function bareNats(manager: JetStreamManager, ordered: boolean): BrokerSide {
  const client = manager.jetstream()
  let next = 0
  return {
    name: 'bare nats.js',
    publish: (topic, bodies) =>
      Promise.all(
        bodies.map((body) =>
          client.publish(`micro.${topic}.${next++ % lanes}`, body, { msgID: nuid.next() }),
        ),
      ),
    async consume(topic, group, handle) {
      const filters = ordered ? Array.from({ length: lanes }, (_, at) => String(at)) : ['*']
      const running: { messages: ConsumerMessages; ended: Promise<void> }[] = []
      for (const filter of filters) {
        const name = `${group.replaceAll('.', '~')}-${filter === '*' ? 'all' : filter}`
        const stream = `micro~~${topic}`
        await manager.consumers.add(stream, {
          durable_name: name,
          ack_policy: AckPolicy.Explicit,
          deliver_policy: DeliverPolicy.New,
          filter_subject: `micro.${topic}.${filter}`,
          ...(ordered ? { max_ack_pending: 1 } : {}),
        })
        const consumer = await client.consumers.get(stream, name)
        const messages = await consumer.consume({ max_messages: 100 })
        const ended = (async () => {
          for await (const message of messages) {
            await handle(message.data)
            message.ack()
          }
        })()
        running.push({ messages, ended })
      }
      return async () => {
        for (const { messages } of running) messages.stop()
        await Promise.all(running.map(({ ended }) => ended))
      }
    },
    close: async () => undefined,
  }
}
