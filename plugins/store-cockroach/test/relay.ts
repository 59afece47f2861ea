/** Relays messages to a broker that tells them on standard output, slowly. Is killed at any moment. */
import { writeSync } from 'node:fs'
import type { Broker } from '@micro/core/broker'
import { memoryBroker } from '@micro/core/broker'
import { cockroachStore } from '@micro/plugin-store-cockroach'

const [, , connectionString = '', namespace = ''] = process.argv
const broker: Broker = {
  ...memoryBroker(),
  async publish(_topic, messages) {
    for (const { body } of messages) writeSync(1, `${new TextDecoder().decode(body)}\n`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  },
}
const store = cockroachStore({
  connectionString,
  namespace,
  outbox: { broker, pollInterval: 20, batch: 5 },
})
await store.connect()
// Nothing else keeps it running.
setInterval(() => undefined, 1_000)
