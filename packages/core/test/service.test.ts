import {
  createService,
  defineService,
  MicroError,
  memoryNetwork,
  type Service,
  unary,
} from '@micro/core'
import { jsonCodec } from '@micro/core/codec'
import type { Component } from '@micro/core/component'
import { createLifecycle, requireContract } from '@micro/core/component'
import { memoryLogger } from '@micro/core/logger'
import { memoryRegistry } from '@micro/core/registry'
import type { StandardSchema } from '@micro/core/schema'
import { expect, test } from 'vitest'
import { awake, Echo, quietService } from './support/services.ts'

const Nothing = defineService('nothing', { call: unary<void, string>() })

/** A component that notes what is done to it, and fails where the test says. */
function noted(
  name: string,
  log: string[],
  failing: { connect?: boolean; close?: boolean } = {},
): Component {
  const act = async (what: 'connect' | 'close'): Promise<void> => {
    log.push(`${what} ${name}`)
    if (failing[what] === true) throw new Error(`${name} does not ${what}`)
  }
  return {
    name,
    contract: 'test/0',
    connect: () => act('connect'),
    close: () => act('close'),
    health: () => ({ status: 'up' }),
    [Symbol.asyncDispose]: () => act('close'),
  }
}

test('start and stop go through their steps in order', async () => {
  const log: string[] = []
  const note = (what: string) => () => void log.push(what)
  const service = quietService({
    components: { one: noted('one', log), two: noted('two', log) },
    hooks: {
      beforeStart: note('beforeStart'),
      afterStart: note('afterStart'),
      beforeStop: note('beforeStop'),
      afterStop: note('afterStop'),
    },
  })
  await service.start()
  expect(service.state).toBe('started')
  await service.stop()
  expect(log).toEqual([
    'beforeStart',
    'connect one',
    'connect two',
    'afterStart',
    'beforeStop',
    'close two',
    'close one',
    'afterStop',
  ])
})

test.each(['connect', 'hook'] as const)(
  'a start that fails at a %s undoes what it did',
  async (where) => {
    const log: string[] = []
    const registry = memoryRegistry()
    const service = quietService({
      registry,
      components: {
        one: noted('one', log),
        two: noted('two', log, { connect: where === 'connect' }),
        three: noted('three', log),
      },
      hooks: {
        afterStart: () => {
          if (where === 'hook') throw new Error('the hook fails')
        },
      },
    }).handle(Nothing, { call: () => '' })
    await expect(service.start()).rejects.toThrow(
      where === 'connect' ? 'two does not connect' : 'the hook fails',
    )
    expect(service.state).toBe('stopped')
    expect(log.filter((line) => line.startsWith('close'))).toEqual(
      where === 'connect' ? ['close two', 'close one'] : ['close three', 'close two', 'close one'],
    )
    await expect(service.start()).rejects.toMatchObject({ code: 'failed_precondition' })
    await expect(service.client(Nothing).call()).rejects.toMatchObject({
      code: 'failed_precondition',
    })
  },
)

test('a stop goes through to its end and tells of every failure', async () => {
  const log: string[] = []
  const service = createService({
    name: 'test',
    logger: memoryLogger(),
    shutdown: { signals: false },
    components: {
      one: noted('one', log, { close: true }),
      two: noted('two', log),
      three: noted('three', log, { close: true }),
    },
  })
  await service.start()
  const failure: unknown = await service.stop().catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(AggregateError)
  expect((failure as AggregateError).errors.map(String)).toEqual([
    'Error: three does not close',
    'Error: one does not close',
  ])
  expect(log.slice(-3)).toEqual(['close three', 'close two', 'close one'])
  expect(service.state).toBe('stopped')
})

test('stopping twice is one stop, and a service that never started can be stopped', async () => {
  const log: string[] = []
  const service = quietService({ components: { one: noted('one', log) } })
  await service.start()
  await Promise.all([service.stop(), service.stop()])
  await service.stop()
  expect(log.filter((line) => line === 'close one')).toHaveLength(1)
  await quietService().stop()
})

test('named components are typed by name', async () => {
  const log: string[] = []
  const service = createService({
    name: 'test',
    logger: memoryLogger(),
    shutdown: { signals: false },
    components: { sessions: { ...noted('sessions', log), count: () => 3 } },
  })
  await using _closing = service
  expect(service.components.sessions.count()).toBe(3)
  // @ts-expect-error there is no such component
  expect(service.components.carts).toBeUndefined()
})

test('live, ready and health say what is so', async () => {
  const sick: Component = {
    ...noted('sick', []),
    health: () => ({ status: 'degraded', detail: 'old data' }),
  }
  const service = quietService({ components: { sick } }).handle(Nothing, { call: () => '' })
  expect([service.live(), service.ready(), service.health().status]).toEqual([true, false, 'down'])
  await service.start()
  expect([service.live(), service.ready()]).toEqual([true, true])
  expect(service.health()).toMatchObject({
    status: 'degraded',
    components: {
      sick: { status: 'degraded', detail: 'old data' },
      registration: { status: 'up' },
    },
  })
  await service.stop()
  expect([service.live(), service.ready(), service.health().status]).toEqual([false, false, 'down'])
})

test('run resolves when the service has stopped', async () => {
  const service = quietService()
  const running = service.run()
  await expect.poll(() => service.state).toBe('started')
  await service.stop()
  await running
})

test('a registry that takes no registration fails the start in time, and says why', async () => {
  const registry = {
    ...memoryRegistry(),
    register: async () => {
      throw new MicroError('unavailable', 'no route to etcd')
    },
  }
  const service = quietService({ registry, registration: { timeout: 50 } }).handle(Nothing, {
    call: () => '',
  })
  await expect(awake(() => service.start())).rejects.toMatchObject({
    code: 'unavailable',
    detail: expect.stringContaining('no route to etcd'),
  })
})

test('handlers are checked when they are given', async () => {
  const service = quietService()
  expect(() => service.handle(Nothing, {} as never)).toThrow('method "call" needs a handler')
  service.handle(Nothing, { call: () => '' })
  expect(() => service.handle(Nothing, { call: () => '' })).toThrow('has handlers already')
  await service.start()
  expect(() => service.handle(Echo, {} as never)).toThrow('call handle before start')
})

test('a class instance can be the handlers', async () => {
  class Greeter {
    readonly #greeting = 'Hi'
    call(): string {
      return this.#greeting
    }
  }
  const service = quietService().handle(Nothing, new Greeter())
  await service.start()
  expect(await service.client(Nothing).call()).toBe('Hi')
})

test.each([
  [{ name: '' }, 'name'],
  [{ name: 'with space' }, 'name'],
  [{ shutdown: { drain: -1 } }, 'shutdown.drain'],
  [{ limits: { concurrentCalls: 0 } }, 'limits.concurrentCalls'],
])('refuses the options %o', (options, field) => {
  expect(() => quietService(options)).toThrow(field)
})

test('a component of another generation is refused at construction, with both and the fix', () => {
  const codec = { ...jsonCodec(), contract: 'codec/7' } as unknown as ReturnType<typeof jsonCodec>
  expect(() => quietService({ codecs: [codec] })).toThrow(/"json".*codec\/7.*codec\/0.*install/)
  expect(() => requireContract({ name: 'x' } as never, 'store/0')).toThrow('contract none')
})

test.each([
  ['bad name!', { a: unary() }, 'bad name!'],
  ['good', Object.fromEntries([['then', unary()]]), 'then'],
  ['good', { 'a-b': unary() }, 'a-b'],
])('refuses a definition %j', (name, methods, named) => {
  expect(() => defineService(name, methods)).toThrow(named)
})

test('a method refuses what is no schema, and an odd timeout', () => {
  expect(() => unary({ input: { parse: () => 1 } as unknown as StandardSchema })).toThrow(
    'input of a method',
  )
  expect(() => unary({ timeout: -1 })).toThrow('timeout of a method')
})

test('a lifecycle opens once for all, again after a failure, and not after its close', async () => {
  let opens = 0
  let fail = true
  const lifecycle = createLifecycle({
    label: 'thing',
    open: async () => {
      opens += 1
      if (fail) throw new Error('not yet')
    },
  })
  await expect(lifecycle.connect()).rejects.toThrow('not yet')
  fail = false
  await Promise.all([lifecycle.connect(), lifecycle.connect()])
  expect(opens).toBe(2)
  expect(
    await lifecycle.connect({ signal: AbortSignal.abort('no') }).catch((error: unknown) => error),
  ).toBe('no')
  await Promise.all([lifecycle.close(), lifecycle.close()])
  await expect(lifecycle.connect()).rejects.toMatchObject({
    code: 'failed_precondition',
    detail: 'thing is closed',
  })
})

test('two services of one process on one registry find each other, and neither closes it for the other', async () => {
  const registry = memoryRegistry()
  const make = (name: string): Service => quietService({ name, registry })
  const one = make('one')
  await one.start()
  const two = make('two')
  await two.start()
  await one.stop()
  expect(await registry.list()).toEqual([])
})

test('a stop lets running calls end, refuses new ones as not processed, and cancels those that do not end', async () => {
  const release = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const reasons: unknown[] = []
  const network = memoryNetwork()
  const Slow = defineService('slow', { wait: unary<void, string>(), hang: unary<void, string>() })
  const shutdown = { signals: false, drain: 200 }
  const server = quietService({ name: 'server', network, shutdown }).handle(Slow, {
    wait: async () => {
      begun.resolve()
      await release.promise
      return 'done'
    },
    hang: (_input, context) =>
      new Promise((_resolve, reject) => {
        context.onCancel((reason) => {
          reasons.push(reason)
          reject(reason)
        })
      }),
  })
  const client = quietService({ name: 'client', network })
  await server.start()
  await client.start()
  const slow = client.client(Slow)
  const waiting = slow.wait()
  const hanging = slow.hang().catch((error: unknown) => error)
  await begun.promise
  const stopped = server.stop()
  await expect.poll(() => server.ready()).toBe(false)
  await expect(slow.wait()).rejects.toMatchObject({ code: 'unavailable', processed: 'no' })
  release.resolve()
  expect(await waiting).toBe('done')
  await stopped
  expect(reasons).toMatchObject([{ code: 'unavailable', detail: 'the server has stopped' }])
  expect(await hanging).toMatchObject({ code: 'unavailable' })
})
