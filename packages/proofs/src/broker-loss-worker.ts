/**
 * A process of the loss test: `node broker-loss-worker.ts <module> <settings> <topic> <role> <keys>`,
 * where the role is `consumer`, or `producer 0/3`.
 */
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import type { Broker, BrokerMessage } from '@micro/core/broker'

const [module = '', settings = '', topic = '', role = '', keyCount = '1'] = process.argv.slice(2)
const keys = Number(keyCount)
const { makeBroker } = (await import(module)) as { makeBroker: (settings: string) => Broker }
const broker = makeBroker(settings)

if (role === 'consumer') await consume()
else await produce()

async function consume(): Promise<void> {
  const closing = new Promise<void>((resolve) => process.once('SIGTERM', () => resolve()))
  await broker.subscribe(
    topic,
    async (_lane, batch) => {
      const numbers = batch.map(({ body }) => Buffer.from(body).toString())
      // Told before it is settled, so that nothing settled can be lost with this process.
      // Of the machine's own clock: those of processes differ by more than a message takes.
      await print(`${Number(process.hrtime.bigint()) / 1e6} ${numbers.join(' ')}`)
      return batch.map(() => 'ack')
    },
    { group: topic, batch: 50 },
  )
  await print('ready')
  await closing
  await broker.close()
  process.exit(0)
}

/** Its share of the numbers of each line `<from> <to>`, until each has been acknowledged. */
async function produce(): Promise<void> {
  const [mine = 0, of = 1] = role.replace('producer ', '').split('/').map(Number)
  for await (const line of createInterface({ input: process.stdin })) {
    const [from = 0, to = 0] = line.split(' ').map(Number)
    let batch: BrokerMessage[] = []
    for (let number = from; number < to; number++) {
      const key = number % keys
      if (key % of !== mine) continue
      batch.push({ body: Buffer.from(String(number)), key: `key-${key}`, headers: {} })
      if (batch.length === 100) {
        await publish(batch)
        batch = []
      }
    }
    await publish(batch)
    await print('sent')
  }
}

async function publish(batch: readonly BrokerMessage[]): Promise<void> {
  for (;;) {
    try {
      await broker.publish(topic, batch, { signal: AbortSignal.timeout(10_000) })
      return
    } catch {
      // Perhaps it was taken all the same: then it comes twice.
      await wait(100)
    }
  }
}

function print(line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(`${line}\n`, (error) => (error ? reject(error) : resolve()))
  })
}
