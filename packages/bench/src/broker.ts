import { EventEmitter } from 'node:events'
import { createMessaging, defineUncheckedTopic, memoryBroker } from '@micro/core/broker'
import { jsonCodec } from '@micro/core/codec'
import { memoryLogger } from '@micro/core/logger'
import { ServiceBroker } from 'moleculer'
import { compare } from './measure.ts'
import { type Payload, payload } from './payload.ts'

/** From publish to handler, 64 messages under way. Ours encodes, queues, settles; the peers call. */
export async function benchBroker(): Promise<void> {
  const messaging = createMessaging({
    broker: memoryBroker(),
    logger: memoryLogger(),
    codecs: [jsonCodec()],
    defaultGroup: 'bench',
  })
  const topic = defineUncheckedTopic<Payload>('bench')
  const counter = createCounter()
  const subscription = await messaging.subscribe(topic, counter.count, { concurrency: 64 })
  const ours = {
    name: 'micro',
    run: (calls: number) => counter.run(calls, () => messaging.publish(topic, payload)),
  }

  const moleculer = new ServiceBroker({ logger: false })
  const heard = createCounter()
  moleculer.createService({ name: 'listener', events: { bench: heard.count } })
  await moleculer.start()
  const emitter = new EventEmitter()
  const emitted = createCounter()
  emitter.on('bench', emitted.count)

  const calls = 50_000
  await compare({
    what: 'messages in process, publish to handle',
    ours,
    peer: {
      name: 'moleculer emit',
      run: (n) => heard.run(n, () => moleculer.emit('bench', payload)),
    },
    calls,
  })
  await compare({
    what: 'messages in process, publish to handle',
    ours,
    peer: {
      name: 'bare EventEmitter',
      run: (n) =>
        emitted.run(n, async () => {
          emitter.emit('bench', payload)
        }),
    },
    calls,
  })
  await subscription.close()
  await moleculer.stop()
}

/** Publishes in loops, and ends when as many messages have been handled. */
function createCounter(): {
  count: () => void
  run: (calls: number, publish: () => Promise<unknown>) => Promise<void>
} {
  let left = 0
  let done: (() => void) | undefined
  return {
    count() {
      left -= 1
      if (left === 0) done?.()
    },
    async run(calls, publish) {
      left = calls
      const handled = new Promise<void>((resolve) => {
        done = resolve
      })
      let toPublish = calls
      const loop = async (): Promise<void> => {
        while (toPublish-- > 0) await publish()
      }
      await Promise.all(Array.from({ length: 64 }, loop))
      await handled
    },
  }
}
