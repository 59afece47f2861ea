import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { eventually, expectCode } from '@micro/conformance/kit'
import {
  type Broker,
  createMessaging,
  defineUncheckedTopic,
  memoryBroker,
} from '@micro/core/broker'
import { jsonCodec } from '@micro/core/codec'
import { MicroError } from '@micro/core/errors'
import { memoryLogger } from '@micro/core/logger'
import { collectMessages, type OutboxMessage } from '@micro/plugin-store-cockroach'
import { describe, expect, test } from 'vitest'
import { sqlOf } from './sql.ts'
import {
  afterwards,
  binaries,
  bytesOf,
  newNamespace,
  open,
  scale,
  server,
  textOf,
} from './support.ts'

const message = (text: string, more: Partial<OutboxMessage> = {}): OutboxMessage => ({
  topic: 'orders',
  headers: { 'content-type': 'text/plain' },
  body: bytesOf(text),
  ...more,
})

/** Keeps what it is given, and fails when it is told to. */
function listening(fail: () => unknown = () => undefined): { broker: Broker; heard: string[] } {
  const heard: string[] = []
  const broker: Broker = {
    ...memoryBroker(),
    async publish(topic, messages) {
      const failure = fail()
      if (failure !== undefined) throw failure
      for (const { key, body } of messages) heard.push(`${topic} ${key ?? '-'} ${textOf(body)}`)
    },
  }
  return { broker, heard }
}

describe.skipIf(binaries === undefined)('the outbox on a real PostgreSQL', () => {
  test('what a commit publishes arrives as it was, once the commit has taken place', async () => {
    const postgres = await server()
    const broker = memoryBroker()
    const received: unknown[] = []
    await broker.subscribe('orders', async (_lane, batch) => {
      for (const { key, headers, body } of batch)
        received.push({ key, headers, body: textOf(body) })
      return batch.map(() => 'ack')
    })
    const store = open({
      connectionString: postgres.url,
      namespace: newNamespace(),
      outbox: { broker, pollInterval: 20 },
    })
    await store.commit([{ type: 'write', key: 'a', value: bytesOf('1'), ifAbsent: true }], {
      publish: [message('1', { key: 'ключ 🔑' }), message('2')],
    })
    await eventually(() => expect(received).toHaveLength(2))
    expect(received).toContainEqual({
      key: 'ключ 🔑',
      headers: { 'content-type': 'text/plain' },
      body: '1',
    })
    const refused = store.commit(
      [{ type: 'write', key: 'a', value: bytesOf('2'), ifAbsent: true }],
      { publish: [message('never')] },
    )
    await expectCode(refused, 'already_exists')
    await store.commit([], { publish: [message('3')] })
    await eventually(() => expect(received).toHaveLength(3))
    expect(received.at(-1)).toMatchObject({ body: '3' })
  })

  test('typed messages are encoded as a service would, and published with the batch', async () => {
    const postgres = await server()
    const { broker, heard } = listening()
    const store = open({
      connectionString: postgres.url,
      namespace: newNamespace(),
      outbox: { broker, pollInterval: 20 },
    })
    const placed = defineUncheckedTopic<{ id: number }>('orders.placed')
    const collected = collectMessages()
    const messaging = createMessaging({
      broker: collected.broker,
      logger: memoryLogger(),
      codecs: [jsonCodec()],
    })
    await messaging.publish(placed, { id: 7 }, { key: '7' })
    expect(heard).toEqual([])
    await store.commit([{ type: 'write', key: 'order/7', value: bytesOf('{}') }], {
      publish: collected.messages,
    })
    await eventually(() => expect(heard).toEqual(['orders.placed 7 {"id":7}']))
  })

  test('messages of a key keep the order of the commits, over outages of the broker', async () => {
    const postgres = await server()
    let calls = 0
    const { broker, heard } = listening(() =>
      ++calls % 3 === 0 ? new MicroError('unavailable', 'away') : undefined,
    )
    const namespace = newNamespace()
    const options = { connectionString: postgres.url, namespace }
    const relays = [1, 2].map(() =>
      open({ ...options, outbox: { broker, pollInterval: 10, batch: 7 } }),
    )
    for (const relay of relays) await relay.connect()
    const writers = [open(options), open(options)]
    const count = 25
    await Promise.all(
      ['a', 'b', 'c'].map(async (key, at) => {
        for (let n = 0; n < count; n++) {
          const store = writers[(n + at) % 2] as (typeof writers)[number]
          await store.commit([{ type: 'write', key, value: bytesOf(`${n}`) }], {
            publish: [message(`${n}`, { key }), message(`${n}'`, { key })],
          })
        }
      }),
    )
    await eventually(() => expect(heard.length).toBeGreaterThanOrEqual(3 * 2 * count), 20_000)
    for (const key of ['a', 'b', 'c']) {
      // Some may come twice; what counts is when each came first.
      const first = [...new Set(heard.filter((one) => one.startsWith(`orders ${key} `)))]
      const expected = Array.from({ length: count }, (_, n) => [`${n}`, `${n}'`]).flat()
      expect(first).toEqual(expected.map((text) => `orders ${key} ${text}`))
    }
    const left = await sqlOf(postgres)(
      'SELECT count(*) FROM micro_store_outbox WHERE namespace = $1',
      namespace,
    )
    expect(left).toEqual([['0']])
  })

  test('a message that the broker never takes is set aside, and keeps none of the others', async () => {
    const postgres = await server()
    const namespace = newNamespace()
    const heard: string[] = []
    const broker: Broker = {
      ...memoryBroker(),
      async publish(_topic, messages) {
        if (messages.some(({ body }) => textOf(body) === 'bad')) {
          throw new MicroError('invalid_argument', 'too odd')
        }
        for (const { body } of messages) heard.push(textOf(body) ?? '')
      },
    }
    const store = open({
      connectionString: postgres.url,
      namespace,
      outbox: { broker, pollInterval: 20 },
    })
    await store.commit([], { publish: ['1', 'bad', '2'].map((text) => message(text)) })
    await eventually(() => expect(heard).toEqual(['1', '2']))
    const sql = sqlOf(postgres)
    await eventually(async () =>
      expect(
        await sql('SELECT failure FROM micro_store_outbox WHERE namespace = $1', namespace),
      ).toEqual([['too odd']]),
    )
  })

  test('relays that are killed where they stand lose none, and keep the order', {
    timeout: 600_000,
  }, async () => {
    const postgres = await server()
    const namespace = newNamespace()
    const store = open({ connectionString: postgres.url, namespace })
    const kills = Math.max(3, Math.round(100 * scale))
    const perKill = 40
    const lines: string[] = []
    const sql = sqlOf(postgres)
    const waiting = 'SELECT count(*) FROM micro_store_outbox WHERE namespace = $1'
    for (let kill = 0; kill <= kills; kill++) {
      for (let n = 0; n < perKill; n++) {
        const text = String(kill * perKill + n)
        await store.commit([], { publish: [message(text, { key: 'k' })] })
      }
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, 'relay.ts'), postgres.url, namespace],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      )
      afterwards(() => child.kill('SIGKILL'))
      let output = ''
      child.stdout.setEncoding('utf8')
      child.stdout.on('data', (text: string) => {
        output += text
      })
      const isLast = kill === kills
      await eventually(async () => {
        if (isLast) expect(await sql(waiting, namespace)).toEqual([['0']])
        else expect(output.length).toBeGreaterThan(0)
      }, 20_000)
      if (!isLast) await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
      child.kill('SIGKILL')
      await Promise.all([once(child, 'exit'), once(child.stdout, 'close')])
      lines.push(...output.split('\n').slice(0, -1))
      // Its lease would hold the others up for as long as it lasts.
      await sql('UPDATE micro_store_roles SET until = now() WHERE namespace = $1', namespace)
    }
    const first = [...new Set(lines)]
    expect(first).toEqual(Array.from({ length: (kills + 1) * perKill }, (_, n) => String(n)))
  })

  test('messages that no broker takes are refused before anything is written', async () => {
    const postgres = await server()
    const store = open({ connectionString: postgres.url, namespace: newNamespace() })
    const write = { type: 'write' as const, key: 'a', value: bytesOf('1') }
    for (const bad of [
      message('1', { topic: 'no topic' }),
      message('1', { headers: { Upper: '1' } }),
      message('1', { key: '' }),
    ]) {
      await expectCode(store.commit([write], { publish: [bad] }), 'invalid_argument')
    }
    const many = Array.from({ length: 1_001 }, () => message('1'))
    await expectCode(store.commit([write], { publish: many }), 'invalid_argument')
    await expectCode(store.commit([]), 'invalid_argument')
    expect(await store.read('a')).toBeUndefined()
  })
})
