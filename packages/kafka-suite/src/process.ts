import type { Subject } from './subject.ts'
import { message, quick, range, textOf } from './support.ts'

/** A process of its own: `node process.ts <brokers> <topic> <hang or end>`. */
export async function runProcess({ kafkaBroker }: Pick<Subject, 'kafkaBroker'>): Promise<void> {
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
  if (mode !== 'end') return
  await Promise.all(range(100).map((text) => broker.publish(topic, [message(text)])))
  await all.promise
  await broker.close()
}
