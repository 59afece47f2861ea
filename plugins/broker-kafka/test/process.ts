/** A process of its own: `node process.ts <brokers> <topic> <hang or end>`. */
import { kafkaBroker } from '@micro/plugin-broker-kafka'
import { message, quick, range, textOf } from './support.ts'

const [brokers = '', topic = '', mode] = process.argv.slice(2)
const broker = kafkaBroker({ ...quick, brokers: brokers.split(','), sessionTimeout: 1_000 })
let count = 0
const all = Promise.withResolvers<void>()
await broker.subscribe(
  topic,
  async (_lane, batch) => {
    for (const one of batch) console.log(`got ${textOf(one)}`)
    if (mode === 'hang') await new Promise(() => undefined)
    count += batch.length
    if (count === 100) all.resolve()
    return batch.map(() => 'ack')
  },
  { group: 'g' },
)
console.log('open')
if (mode === 'end') {
  await Promise.all(range(100).map((text) => broker.publish(topic, [message(text)])))
  await all.promise
  await broker.close()
}
