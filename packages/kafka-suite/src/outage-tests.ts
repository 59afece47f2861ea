import { memoryMeter } from '@micro/core/meter'
import { describe, expect, test } from 'vitest'
import { useKafka } from './fixture.ts'
import type { Subject } from './subject.ts'
import { collector, message, newName, range, textOf, until } from './support.ts'

/** Milliseconds that an outage lasts. */
const outage = 30_000 * Number(process.env['MICRO_SCALE'] ?? '0.03')

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Has to be awaited at the top of a file of tests. */
export async function outageTests(subject: Subject): Promise<void> {
  const { kafka, open } = await useKafka(subject)

  describe.skipIf(kafka === undefined)('while Kafka is away', () => {
    test('publishing waits, subscriptions come back by themselves, health tells; nothing is lost', async () => {
      const meter = memoryMeter()
      const broker = open({ meter })
      const topic = newName()
      const { texts, deliver } = collector()
      await broker.subscribe(topic, deliver, { group: 'g', batch: 10 })
      await broker.publish(topic, [message('before', { key: 'k' })])
      await until(() => texts.length === 1)
      await kafka?.kill()
      const during = Promise.all(
        range(20).map((text) => broker.publish(topic, [message(text, { key: 'k' })])),
      )
      during.catch(() => undefined)
      await until(() => broker.health().status === 'degraded')
      const { detail } = broker.health()
      await wait(outage)
      await kafka?.restart()
      await during
      expect(detail).toContain(topic)
      await until(() => texts.length >= 21)
      expect(texts).toEqual(['before', ...range(20)])
      await until(() => broker.health().status === 'up')
      expect(
        meter.collect().filter(({ name }) => name === 'messaging.kafka.consumer.restarts'),
      ).not.toEqual([])
    })

    test('publishing fails clearly when its time is up, and by the signal at once; so does subscribing', async () => {
      const broker = open({ timeout: 700 })
      const topic = newName()
      // A new topic may take longer.
      await open().publish(topic, [message('0')])
      await broker.publish(topic, [message('1')])
      await kafka?.kill()
      try {
        await expect(broker.publish(topic, [message('2')])).rejects.toMatchObject({
          code: 'unavailable',
          detail: expect.stringContaining(topic),
        })
        const reason = new Error('mine')
        const controller = new AbortController()
        const publishing = broker.publish(topic, [message('3')], { signal: controller.signal })
        controller.abort(reason)
        await expect(publishing).rejects.toBe(reason)
        await expect(broker.subscribe(topic, async () => [])).rejects.toMatchObject({
          code: 'unavailable',
        })
        expect(broker.health().status).toBe('degraded')
        await broker.close()
      } finally {
        await kafka?.restart()
      }
    })

    test('what was acknowledged under a stream of failures arrives, at least once and in order', async () => {
      const broker = open({ timeout: 1_000 })
      const topic = newName()
      const { texts, deliver } = collector()
      await open().subscribe(topic, deliver, { group: 'g', batch: 50 })
      const acknowledged: string[] = []
      let stop = false
      const publishing = (async () => {
        for (let at = 0; !stop; at++) {
          const published = broker.publish(topic, [message(String(at), { key: 'k' })])
          await published.then(
            () => acknowledged.push(String(at)),
            () => undefined,
          )
        }
      })()
      await until(() => acknowledged.length > 100)
      await kafka?.kill()
      await wait(outage)
      await kafka?.restart()
      const before = acknowledged.length
      await until(() => acknowledged.length > before + 100)
      kafka?.pause()
      await wait(outage)
      kafka?.resume()
      const then = acknowledged.length
      await until(() => acknowledged.length > then + 100)
      stop = true
      await publishing
      const last = acknowledged.at(-1) ?? ''
      await until(() => texts.includes(last))
      const missing = acknowledged.filter((text) => !texts.includes(text))
      expect(missing).toEqual([])
      const firsts = [...new Set(texts)].map(Number)
      expect(firsts).toEqual(firsts.toSorted((a, b) => a - b))
    })

    test('what a handler finishes meanwhile is not handled again', async () => {
      const broker = open({ sessionTimeout: 20_000 })
      const topic = newName()
      const handled: string[] = []
      const started = Promise.withResolvers<void>()
      const finish = Promise.withResolvers<void>()
      await broker.subscribe(
        topic,
        async (_lane, batch) => {
          started.resolve()
          await finish.promise
          handled.push(...batch.map(textOf))
          return batch.map(() => 'ack')
        },
        { group: 'g' },
      )
      await broker.publish(
        topic,
        range(3).map((text) => message(text, { key: 'k' })),
      )
      await started.promise
      await kafka?.kill()
      finish.resolve()
      await until(() => handled.length > 0)
      await kafka?.restart()
      await broker.publish(topic, [message('3', { key: 'k' })])
      await until(() => handled.includes('3'))
      expect(handled).toEqual(range(4))
    })

    test('closing does not wait for ever', async () => {
      const broker = open()
      const topic = newName()
      const { deliver } = collector()
      await broker.subscribe(topic, deliver, { group: 'g' })
      await broker.subscribe(topic, deliver)
      kafka?.pause()
      try {
        const publishing = broker.publish(topic, [message('1')]).catch((error: unknown) => error)
        await wait(50)
        await broker.close()
        expect(await publishing).toMatchObject({ code: 'unavailable' })
      } finally {
        kafka?.resume()
      }
    })
  })
}
