import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { memoryLogger } from '@micro/core/logger'
import { describe, expect, test } from 'vitest'
import { useKafka } from './fixture.ts'
import type { Subject } from './subject.ts'
import { collector, message, newName, range, textOf, until } from './support.ts'

/** Has to be awaited at the top of a file of tests. */
export async function consumerTests(subject: Subject): Promise<void> {
  const { kafka, brokers, open, openMortal } = await useKafka(subject)

  describe.skipIf(kafka === undefined)('a consumer', () => {
    test('that dies is told by health and log, and started anew, as often as it takes', async () => {
      const logger = memoryLogger()
      const topic = newName()
      const { texts, deliver } = collector()
      const { broker, proxy } = await openMortal({ logger })
      await broker.subscribe(topic, deliver, { group: 'g' })
      for (const text of range(3)) {
        proxy.cut(true)
        await until(() => broker.health().status === 'degraded')
        proxy.cut(false)
        await until(() => broker.health().status === 'up')
        await open().publish(topic, [message(text, { key: 'k' })])
        await until(() => texts.includes(text))
      }
      expect(texts).toEqual(range(3))
      expect(logger.lines.map((line) => line.message)).toContain(
        'a consumer has died and is started anew',
      )
    })

    test('that hears nothing any more is found out by its missing heartbeats', async () => {
      const topic = newName()
      const { texts, deliver } = collector()
      const broker = open({ requestTimeout: 60_000, sessionTimeout: 1_000 })
      await broker.subscribe(topic, deliver, { group: 'g' })
      kafka?.pause()
      await until(() => broker.health().status === 'degraded')
      expect(broker.health().detail).toContain('no heartbeat')
      kafka?.resume()
      await broker.publish(topic, [message('1')])
      await until(() => texts.length === 1)
    })

    test('in a process that has nothing else keeps it alive while Kafka is away, and gets what comes then', async () => {
      const topic = newName()
      const child = spawn(process.execPath, [subject.process, brokers.join(), topic, 'hang'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let output = ''
      child.stdout.on('data', (data) => {
        output += String(data)
      })
      try {
        await until(() => output.includes('open'))
        await kafka?.kill()
        // Longer than a session.
        await new Promise((resolve) => setTimeout(resolve, 2_000))
        await kafka?.restart()
        await open().publish(topic, [message('1')])
        await until(() => output.includes('got 1') || child.exitCode !== null)
        expect(child.exitCode).toBe(null)
      } finally {
        child.kill('SIGKILL')
      }
    })
  })

  describe.skipIf(kafka === undefined)('a process', () => {
    const start = (topic: string, mode: string) =>
      spawn(process.execPath, [subject.process, brokers.join(), topic, mode], {
        stdio: ['ignore', 'pipe', 'pipe'],
      })

    test('that is killed between handling and settling: its message comes again', async () => {
      const topic = newName()
      const child = start(topic, 'hang')
      let output = ''
      child.stdout.on('data', (data) => {
        output += String(data)
      })
      await until(() => output.includes('open'))
      const broker = open()
      await broker.publish(topic, [message('1', { key: 'k' }), message('2', { key: 'k' })])
      await until(() => output.includes('got 1'))
      child.kill('SIGKILL')
      await once(child, 'exit')
      const handled: string[] = []
      await broker.subscribe(
        topic,
        async (_lane, batch) => {
          handled.push(...batch.map(textOf))
          return batch.map(() => 'ack')
        },
        { group: 'g' },
      )
      await until(() => handled.length === 2)
      expect(handled).toEqual(['1', '2'])
      expect(output).not.toContain('got 2')
    })

    test('ends by itself once its broker is closed, and Node has nothing to warn of', async () => {
      const child = start(newName(), 'end')
      let errors = ''
      child.stderr.on('data', (data) => {
        errors += String(data)
      })
      const [code] = await once(child, 'exit')
      expect(errors).toBe('')
      expect(code).toBe(0)
    })
  })
}
