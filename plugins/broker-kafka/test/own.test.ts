import { connect } from 'node:net'
import { message, newName, quick } from '@micro/kafka-suite'
import { kafkaBroker } from '@micro/plugin-broker-kafka'
import { kafkaHome, startKafka } from '@micro/test-services'
import { afterAll, describe, expect, test } from 'vitest'

const home = kafkaHome()
const kafka = home === undefined ? undefined : await startKafka(home)
afterAll(() => kafka?.stop())

describe.skipIf(kafka === undefined)('on kafkajs', () => {
  test('connections are made as the option says, and all of them are closed', async () => {
    const open = new Set<unknown>()
    const ports = new Set<number>()
    const broker = kafkaBroker({
      ...quick,
      brokers: kafka?.brokers ?? [],
      socketFactory({ host, port, onConnect }) {
        ports.add(port)
        const socket = connect({ host, port }, onConnect)
        open.add(socket)
        socket.once('close', () => open.delete(socket))
        return socket
      },
    })
    const topic = newName()
    await broker.subscribe(topic, async () => [], { group: 'g' })
    await broker.publish(topic, [message('1')])
    expect(ports).toEqual(new Set([Number(kafka?.brokers[0]?.split(':')[1])]))
    expect(open.size).toBeGreaterThan(1)
    await broker.close()
    await expect.poll(() => open.size).toBe(0)
  })
})
