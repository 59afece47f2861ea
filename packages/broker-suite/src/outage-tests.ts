import { once } from 'node:events'
import { createServer } from 'node:net'
import {
  type Broker,
  createMessaging,
  type Delivery,
  defineUncheckedTopic,
} from '@micro/core/broker'
import { jsonCodec } from '@micro/core/codec'
import { sleep } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import { memoryLogger } from '@micro/core/logger'
import { startTcpProxy, type Verdict } from '@micro/test-services'
import { describe, expect, test, vi } from 'vitest'
import { useServer } from './fixture.ts'
import { collector, message, newScope, textOf } from './messages.ts'
import type { OpenOptions, Subject } from './subject.ts'

/** How long the server is away: 30 s at full size, 1.5 s otherwise. */
const away = 30_000 * Number(process.env['MICRO_SCALE'] ?? '0.05')
/** Pieces that pass before any is lost: a subscription is open by then. */
const calm = 60

/** A file of tests: the server and its connections fail, and processes that had messages in hand. */
export function outageTests(subject: Subject): void {
  const { name } = subject
  describe.skipIf(!subject.isThere)(`a real ${name}`, () => {
    const place = useServer(() => subject.start())
    const open = (options: Partial<OpenOptions> & { readonly namespace: string }): Broker => {
      const broker = subject.open({ port: place.server.port, ...options })
      place.defer(() => broker.close())
      return broker
    }

    test('killed and restarted while messages flow: nothing that was acknowledged is lost', async () => {
      const broker = open({ namespace: newScope(), timeout: 20_000 })
      const seen = collector(() => 'ack')
      await broker.subscribe('a', seen.deliver, { group: 'g' })
      const taken: string[] = []
      let stopped = false
      const publishing = (async () => {
        for (let number = 0; !stopped; number++) {
          await broker.publish('a', [message(String(number), `k${number % 5}`)])
          taken.push(String(number))
        }
      })()
      for (let round = 0; round < 3; round++) {
        const least = taken.length + 100
        while (taken.length < least) await sleep(5)
        await place.server.restart()
      }
      stopped = true
      await publishing
      await seen.until((all) => new Set(all.map(textOf)).size === taken.length)
      // None was added twice, though some answers were lost.
      expect(new Set(seen.deliveries.map(({ id }) => id)).size).toBe(taken.length)
      for (let key = 0; key < 5; key++) {
        const first = firstOf(seen.deliveries.filter((one) => one.key === `k${key}`)).map(Number)
        expect(first).toEqual([...first].sort((a, b) => a - b))
      }
    })

    test('away for long: publishing fails clearly in time, and all goes on afterwards', async () => {
      const broker = open({ namespace: newScope(), timeout: 300 })
      const seen = collector(() => 'ack')
      await broker.subscribe('a', seen.deliver, { group: 'g' })
      await place.server.kill()
      const failure = await broker.publish('a', [message('lost')]).catch((error: unknown) => error)
      expect(failure).toMatchObject({ code: 'unavailable', detail: expect.stringContaining(name) })
      expect(broker.health()).toMatchObject({ status: 'degraded' })
      await sleep(away)
      await place.server.restart()
      // It tries again at growing intervals, of at most two seconds.
      while ((await broker.connect().catch((error: unknown) => error)) !== undefined);
      await broker.publish('a', [message('after')])
      await seen.until((all) => all.some((one) => textOf(one) === 'after'))
      expect(seen.texts()).toEqual(['after'])
      await vi.waitFor(() => expect(broker.health()).toEqual({ status: 'up' }))
    }, 90_000)

    test('a publisher that has an abort in time is let go with its reason', async () => {
      const broker = open({ namespace: newScope(), timeout: 20_000 })
      await broker.publish('a', [message('1')])
      place.server.pause()
      place.defer(() => place.server.resume())
      const controller = new AbortController()
      const publishing = broker.publish('a', [message('2')], { signal: controller.signal })
      const reason = new Error('mine')
      controller.abort(reason)
      await expect(publishing).rejects.toBe(reason)
      place.server.resume()
    })

    test('a process that is killed in hand: another gets the message, counted, and what follows', async () => {
      const namespace = newScope()
      const heir = open({ namespace })
      const { child, line } = await (async () => {
        const running = place.run(subject.process, String(place.server.port), namespace)
        const publisher = open({ namespace })
        for (;;) {
          const first = await Promise.race([running, sleep(100)])
          if (first !== undefined) return first
          // Until its group is there, nothing is kept for it.
          await publisher.publish('a', [message('poke', 'k')])
        }
      })()
      expect(line).toBe('poke')
      const seen = collector(() => 'ack')
      await heir.subscribe('a', seen.deliver, { group: 'g' })
      await heir.publish('a', [message('next', 'k')])
      child.kill('SIGKILL')
      await once(child, 'exit')
      await seen.until((all) => all.some((one) => textOf(one) === 'next'))
      expect(seen.deliveries[0]).toMatchObject({ attempt: 2 })
      expect(seen.texts().at(-1)).toBe('next')
    })

    test('a handler slower than it may be silent is not overtaken while its process lives', async () => {
      const options = { namespace: newScope(), silence: 200 }
      const started = Promise.withResolvers<void>()
      const slow = collector(async () => {
        started.resolve()
        await sleep(1_000)
        return 'ack' as const
      })
      const first = open(options)
      await first.subscribe('a', slow.deliver, { group: 'g' })
      await first.publish('a', [message('1', 'k')])
      await started.promise
      const other = collector(() => 'ack')
      await open(options).subscribe('a', other.deliver, { group: 'g' })
      await first.publish('a', [message('2', 'k')])
      const both = (): string[] => [...slow.texts(), ...other.texts()]
      await Promise.race([
        slow.until(() => both().includes('2')),
        other.until(() => both().includes('2')),
      ])
      expect(both()).toEqual(['1', '2'])
      expect(slow.deliveries[0]?.attempt).toBe(1)
    })

    test('poison goes to the dead letters, with the reason, and the lane goes on', async () => {
      const broker = open({ namespace: newScope() })
      const messaging = createMessaging({ broker, logger: memoryLogger(), codecs: [jsonCodec()] })
      const topic = defineUncheckedTopic<string>('a')
      const handled = Promise.withResolvers<void>()
      let attempts = 0
      const letters = collector(() => 'ack')
      await broker.subscribe('a.dead', letters.deliver, { group: 'operator' })
      await messaging.subscribe(
        topic,
        ({ value }) => {
          if (value === 'good') return handled.resolve()
          attempts += 1
          throw new Error('poison')
        },
        { group: 'g', maxDeliveries: 3, retryDelay: 5 },
      )
      await messaging.publishAll(topic, ['bad', 'good'], { key: 'k' })
      await handled.promise
      await letters.until((all) => all.length === 1)
      expect(attempts).toBe(3)
      expect(letters.deliveries[0]).toMatchObject({ key: 'k' })
      expect(letters.deliveries[0]?.headers).toMatchObject({
        'dead-letter-reason': 'Error: poison',
        'dead-letter-attempts': '3',
      })
    })

    test('connections that are cut again and again, answers lost: each message once, in order', async () => {
      const { cutEvery } = subject
      let chunks = 0
      const proxy = await startTcpProxy(place.server.port, (): Verdict => {
        chunks += 1
        if (chunks < calm) return 'pass'
        if (chunks % cutEvery === 0) return 'cut'
        return chunks % cutEvery === cutEvery / 2 ? 'pass-and-cut' : 'pass'
      })
      place.defer(() => proxy.stop())
      const broker = open({ port: proxy.port, namespace: newScope(), timeout: 20_000 })
      const seen = collector(() => 'ack')
      await broker.subscribe('a', seen.deliver, { group: 'g' })
      const texts = Array.from({ length: 300 }, (_, at) => String(at))
      for (const text of texts) await broker.publish('a', [message(text, 'k')])
      await seen.until((all) => new Set(all.map(textOf)).size === texts.length)
      expect(new Set(seen.deliveries.map(({ id }) => id)).size).toBe(texts.length)
      expect(firstOf(seen.deliveries)).toEqual(texts)
    })

    test('a connection that says nothing is given up for a new one', async () => {
      const proxy = await startTcpProxy(place.server.port)
      place.defer(() => proxy.stop())
      const where = { port: proxy.port, namespace: newScope() }
      const broker = open({ ...where, timeout: 400, silence: 10_000 })
      const seen = collector(() => 'ack')
      await broker.subscribe('a', seen.deliver, { group: 'g' })
      proxy.hold()
      const failure = await broker.publish('a', [message('1')]).catch((error: unknown) => error)
      expect(failure).toMatchObject({ code: 'unavailable' })
      proxy.release()
      await broker.connect()
      await broker.publish('a', [message('2')])
      await seen.until((all) => all.some((one) => textOf(one) === '2'))
    })

    test('close waits neither for a server that is away, nor for a handler that others were given', async () => {
      const broker = open({ namespace: newScope(), timeout: 300, silence: 300 })
      const started = Promise.withResolvers<void>()
      await broker.subscribe('a', () => {
        started.resolve()
        return new Promise(() => undefined)
      })
      await broker.publish('a', [message('1')])
      await started.promise
      place.server.pause()
      place.defer(() => place.server.resume())
      await sleep(400)
      await broker.close()
      expect(broker.health().status).toBe('down')
      place.server.resume()
    })

    test('a server of another kind', async () => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined)
        socket.end('SSH-2.0-OpenSSH_9.6\r\n')
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      place.defer(() => server.close())
      const { port } = server.address() as { port: number }
      const broker = open({ port, namespace: newScope(), timeout: 300 })
      const failure = await broker.connect().catch((error: unknown) => error)
      expect(MicroError.is(failure, 'unavailable'), String(failure)).toBe(true)
    })
  })
}

/** Each text where it first came. */
function firstOf(deliveries: readonly Delivery[]): string[] {
  return [...new Set(deliveries.map(textOf))]
}
