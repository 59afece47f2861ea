import { kafkaHome, makeAuthority, rotatingTls } from '@micro/test-services'
import { describe, expect, test } from 'vitest'
import { useKafka } from './fixture.ts'
import type { Subject, SubjectOptions } from './subject.ts'
import { message, newName, quick, textOf, until } from './support.ts'

const user = 'alice'
const password = 'correct horse'

/** Has to be awaited at the top of a file of tests. */
export async function securityTests(subject: Subject): Promise<void> {
  const authority = kafkaHome() === undefined ? undefined : makeAuthority()
  const ca = authority?.cert ?? ''
  const none = { cert: '', key: '' }
  const client = authority?.issue('client') ?? none
  const { kafka, brokers } = await useKafka(subject, {
    tls: { ca, ...(authority?.issue('kafka') ?? none), clientCertificates: true },
    sasl: { user, password },
  })

  const roundTrip = async (options: Partial<SubjectOptions>): Promise<void> => {
    await using broker = subject.kafkaBroker({ ...quick, brokers, ...options })
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
      await using broker = subject.kafkaBroker({
        ...quick,
        brokers,
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
      await using broker = subject.kafkaBroker({
        ...quick,
        brokers,
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
}
