import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  createService,
  currentContext,
  defineService,
  MicroError,
  memoryNetwork,
  memoryTransport,
  type Service,
  type ServiceOptions,
  unary,
} from '@micro/core'
import { Context, createContextKey, rootContext, runInContext } from '@micro/core/context'
import { memoryLogger } from '@micro/core/logger'
import { memoryRegistry, type Registry } from '@micro/core/registry'
import type { Transport } from '@micro/core/transport'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

type Core = typeof import('@micro/core')
type CoreContext = typeof import('@micro/core/context')
type CoreRegistry = typeof import('@micro/core/registry')
type CoreStore = typeof import('@micro/core/store')

const Echo = defineService('echo', {
  say: unary<object, object>({ idempotency: 'idempotent' }),
  deeper: unary<object, object>(),
})

let folder: string
/** A second copy, as a plugin's own dependency may bring along. */
let other: { core: Core; context: CoreContext; registry: CoreRegistry; store: CoreStore }
const running: Service[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'micro-core-'))
  const source = fileURLToPath(new URL('../../core/src', import.meta.url))
  await cp(source, join(folder, 'src'), { recursive: true })
  await writeFile(join(folder, 'package.json'), '{"name":"@micro/core","type":"module"}')
  const load = async <T>(path: string): Promise<T> =>
    import(/* @vite-ignore */ pathToFileURL(join(folder, 'src', path)).href) as Promise<T>
  other = {
    core: await load<Core>('index.ts'),
    context: await load<CoreContext>('context/index.ts'),
    registry: await load<CoreRegistry>('registry/index.ts'),
    store: await load<CoreStore>('store/index.ts'),
  }
})
afterAll(() => rm(folder, { recursive: true }))
afterEach(async () => {
  for (const service of running.splice(0).reverse()) await service.stop()
})

function serviceOf(core: Core, options: Partial<ServiceOptions> = {}): Service {
  const service = core.createService({
    name: 'test',
    logger: memoryLogger(),
    shutdown: { signals: false },
    ...options,
  })
  running.push(service)
  return service
}
const own: Core = { createService } as Core

describe('two copies of core in one process', () => {
  test('are two', () => {
    expect(other.core.MicroError).not.toBe(MicroError)
    expect(other.context.Context).not.toBe(Context)
  })

  test('recognise the errors of each other, also through a call', async () => {
    const [mine, foreign] = [
      new MicroError('not_found', 'mine'),
      new other.core.MicroError('aborted', 'foreign', { metadata: { a: 'b' } }),
    ]
    expect(MicroError.is(foreign, 'aborted')).toBe(true)
    expect(MicroError.is(foreign, 'not_found')).toBe(false)
    expect(other.core.MicroError.is(mine, 'not_found')).toBe(true)

    for (const [core, thrown] of [
      [own, foreign],
      [other.core, mine],
    ] as const) {
      const service = serviceOf(core).handle(Echo, {
        say: () => {
          throw thrown
        },
        deeper: () => ({}),
      })
      await service.start()
      const error = await service
        .client(Echo)
        .say({})
        .catch((failure: unknown) => failure)
      expect(error).toMatchObject({ code: thrown.code, detail: thrown.detail })
      expect(MicroError.is(error, thrown.code)).toBe(true)
      expect(other.core.MicroError.is(error, thrown.code)).toBe(true)
    }
  })

  test('see the contexts of each other: deadline, cancellation, trace and values', async () => {
    const context = new Context(rootContext, { timeout: 10_000 })
    context.trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true }
    context.set(createContextKey<string>('shared'), 'value')
    await runInContext(context, async () => {
      const seen = other.core.currentContext()
      expect(seen).toBe(currentContext())
      expect(seen.get(other.core.createContextKey<string>('shared'))).toBe('value')
      const child = new other.context.Context(seen)
      expect(child.deadline).toBe(context.deadline)
      expect(child.trace).toEqual(context.trace)
      const reason = new Error('mine')
      context.cancel(reason)
      expect(child.cancelled).toBe(true)
      expect(child.signal.reason).toBe(reason)
    })
  })

  test('a nested call through the other copy inherits what is left of the time, and its end', async () => {
    const held = Promise.withResolvers<{ remaining: number; signal: AbortSignal }>()
    const inner = serviceOf(other.core).handle(Echo, {
      say: (_input, context) => {
        held.resolve({ remaining: context.remaining(), signal: context.signal })
        return new Promise((_resolve, reject) => context.onCancel(reject))
      },
      deeper: () => ({}),
    })
    const outer = serviceOf(own).handle(Echo, {
      say: () => ({}),
      deeper: () => inner.client(Echo).say({}, { timeout: 60_000 }),
    })
    await inner.start()
    await outer.start()
    const gone = new AbortController()
    const call = outer.client(Echo).deeper({}, { timeout: 2_000, signal: gone.signal })
    const { remaining, signal } = await held.promise
    expect(remaining).toBeLessThanOrEqual(2_000)
    const ended = new Promise((resolve) => signal.addEventListener('abort', resolve))
    const reason = new Error('mine')
    gone.abort(reason)
    await expect(call).rejects.toBe(reason)
    await ended
  })

  test('components of one work in services of the other', async () => {
    const network = memoryNetwork()
    const registry = other.registry.memoryRegistry()
    const store = other.store.memoryStore()
    const service = createService({
      name: 'test',
      network,
      registry,
      components: { store },
      logger: memoryLogger(),
      shutdown: { signals: false },
    }).handle(Echo, {
      say: async () => {
        await store.write('a', new Uint8Array(), { ifAbsent: true })
        return {}
      },
      deeper: () => ({}),
    })
    running.push(service)
    await service.start()
    const echo = serviceOf(own, { network, registry }).client(Echo)
    expect(await echo.say({})).toEqual({})
    await expect(echo.say({})).rejects.toMatchObject({ code: 'already_exists' })
  })
})

describe('generations', () => {
  const foreign = (contract: string | undefined): Registry =>
    ({ ...memoryRegistry(), name: 'etcd', contract }) as unknown as Registry

  test.each([
    ['registry/1', 'registry/1'],
    ['transport/0', 'transport/0'],
    [undefined, 'none'],
  ])('a registry that says %s is refused when the service is made', (contract, told) => {
    let refused: unknown
    try {
      createService({ name: 'test', registry: foreign(contract) })
    } catch (error) {
      refused = error
    }
    expect(refused).toMatchObject({ code: 'failed_precondition' })
    expect((refused as MicroError).detail).toBe(
      `the registry "etcd" implements contract ${told}, but this @micro/core needs registry/0: ` +
        'install a version of the plugin whose peer range of @micro/core includes the installed one',
    )
  })

  test('so is a transport, and any other component', () => {
    const transport = {
      ...memoryTransport({ network: memoryNetwork() }),
      name: 'http',
      contract: 'transport/9',
    } as unknown as Transport
    expect(() => createService({ name: 'test', transports: [transport] })).toThrow(
      'the transport "http" implements contract transport/9, but this @micro/core needs transport/0',
    )
  })

  test('two versions of one plugin serve side by side', async () => {
    const network = memoryNetwork()
    const backend = memoryRegistry()
    // What they share is nobody's of the two to close.
    const close = async (): Promise<void> => undefined
    const version = (more: object): Registry => ({ ...backend, name: 'made-up', close, ...more })
    const first = version({})
    // The newer one has an optional member more, as a minor release may.
    const second = version({ describe: () => 'new in 1.1' })
    const service = serviceOf(own, { network, registry: first }).handle(Echo, {
      say: () => ({ by: 'first' }),
      deeper: () => ({}),
    })
    await service.start()
    const caller = serviceOf(own, { network, registry: second })
    await caller.start()
    expect(await caller.client(Echo).say({})).toEqual({ by: 'first' })
  })
})
