import { type KafkaBrokerOptions, kafkaBroker } from '@micro/plugin-broker-kafka'
import { kafkaHome, makeAuthority, rotatingTls, startKafka } from '@micro/test-services'
import { afterAll, describe, expect, test } from 'vitest'
import { message, newName, quick, textOf, until } from './support.ts'

const home = kafkaHome()
const authority = home === undefined ? undefined : makeAuthority()
const ca = authority?.cert ?? ''
const user = 'alice'
const password = 'correct horse'
const kafka =
  home === undefined || authority === undefined
    ? undefined
    : await startKafka(home, {
        tls: { ca, ...authority.issue('kafka'), clientCertificates: true },
        sasl: { user, password },
      })
afterAll(() => kafka?.stop())
const client = authority?.issue('client') ?? { cert: '', key: '' }

const roundTrip = async (options: Partial<KafkaBrokerOptions>): Promise<void> => {
  await using broker = kafkaBroker({ ...quick, brokers: kafka?.brokers ?? [], ...options })
  const topic = newName()
  const got: string[] = []
  await broker.subscribe(
    topic,
    async (_lane, batch) => {
      got.push(...batch.map(textOf))
      return batch.map(() => 'ack')
    },
    { group: 'g' },
  )
  await broker.publish(topic, [message('1')])
  await until(() => got.length === 1)
}

describe.skipIf(kafka === undefined)('a Kafka with TLS, client certificates and SASL', () => {
  test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)('%s', async (mechanism) => {
    await roundTrip({ tls: { ca, ...client }, sasl: { mechanism, username: user, password } })
  })

  test('a wrong password is told at once, and not shown', async () => {
    const sasl = { mechanism: 'scram-sha-256', username: user, password: 'hunter2' } as const
    await using broker = kafkaBroker({
      ...quick,
      brokers: kafka?.brokers ?? [],
      tls: { ca, ...client },
      sasl,
    })
    for (const work of [
      broker.publish('t', [message('1')]),
      broker.subscribe('t', async () => [], { group: 'g' }),
    ]) {
      const error: unknown = await work.catch((failure: unknown) => failure)
      expect(error).toMatchObject({
        code: 'unauthenticated',
        detail: expect.stringContaining('option sasl'),
      })
      expect(String(error)).not.toContain('hunter2')
    }
  })

  test('certificates are asked for at each connection', async () => {
    const tls = rotatingTls({ ca: makeAuthority().cert })
    const sasl = { mechanism: 'plain', username: user, password } as const
    await using broker = kafkaBroker({
      ...quick,
      brokers: kafka?.brokers ?? [],
      timeout: 500,
      tls,
      sasl,
    })
    await expect(broker.publish('t2', [message('1')])).rejects.toMatchObject({
      code: 'unavailable',
      detail: expect.stringContaining('certificate'),
    })
    tls.rotate({ ca, ...client })
    await broker.publish('t2', [message('1')])
  })
})
