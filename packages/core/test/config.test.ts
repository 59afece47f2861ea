import { sleep } from '@micro/core/component'
import { type ConfigSource, createConfig, fallbackSource, objectSource } from '@micro/core/config'
import { afterEach, describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'

const Settings = z.object({
  server: z.object({ port: z.number().int().min(1), host: z.string().default('0.0.0.0') }),
  db: z.object({ password: z.string().min(8) }).optional(),
})
const open: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]()
})

interface Extra {
  readonly coalesce?: number
  readonly timeout?: number
  readonly sources?: readonly ConfigSource[]
}

function start(values: object, extra: Extra = {}) {
  const source = objectSource({ values: values as Record<string, unknown>, name: 'live' })
  const defaults = objectSource({ values: { server: { port: 80 } }, name: 'defaults' })
  const config = createConfig({
    schema: Settings,
    secrets: ['db.password'],
    coalesce: 1,
    ...extra,
    sources: [defaults, source, ...(extra.sources ?? [])],
  })
  open.push(config)
  return { config, source }
}

/** Resolves when the config has refused or taken the next update. */
function outcome(config: ReturnType<typeof start>['config'], path: 'server.port' | 'server') {
  return new Promise<unknown>((resolve) => {
    config.onRejected(resolve)
    config.onChange(path, resolve)
  })
}

describe('merging', () => {
  test('later sources win, trees are merged, the schema’s output is the value', async () => {
    const { config } = start({ server: { port: 8080 } })
    await config.connect()
    expect(config.value).toEqual({ server: { port: 8080, host: '0.0.0.0' } })
    expect(config.get('server.port')).toBe(8080)
    expectTypeOf(config.get('server.port')).toEqualTypeOf<number>()
    // @ts-expect-error there is no such path
    expect(config.get('server.prt')).toBeUndefined()
    expect(Object.isFrozen(config.value.server)).toBe(true)
  })

  test('a value and where it comes from', async () => {
    const { config } = start({ server: { port: 8080 }, db: { password: 'hunter2hunter2' } })
    await config.connect()
    expect(config.explain('server.port')).toEqual([
      {
        path: 'server.port',
        value: 8080,
        source: 'live',
        origin: 'live',
        overrode: [{ source: 'defaults', origin: 'defaults', value: 80 }],
      },
    ])
    expect(JSON.stringify(config.explain('db'))).not.toContain('hunter2')
    expect(config.redacted()).toEqual({ server: { port: 8080 }, db: { password: '[secret]' } })
  })

  test.each(['__proto__', 'constructor', 'prototype'])('%s is refused as a key', async (key) => {
    const { config } = start(JSON.parse(`{"server":{"${key}":{"polluted":true}}}`) as object)
    await expect(config.connect()).rejects.toMatchObject({
      code: 'invalid_argument',
      detail: expect.stringContaining(`server.${key} of live`),
    })
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  test('cycles, depth and size are bounded', async () => {
    const cyclic: Record<string, unknown> = {}
    cyclic['again'] = cyclic
    let deep: unknown = 1
    for (let level = 0; level < 70; level++) deep = [deep]
    for (const values of [cyclic, { deep }, { wide: Array.from({ length: 100_001 }, () => 1) }]) {
      const { config } = start(values)
      await expect(config.connect()).rejects.toMatchObject({ code: 'resource_exhausted' })
    }
  })
})

describe('changes', () => {
  test('only those are told whose path changed, with old and new value', async () => {
    const { config, source } = start({ server: { port: 1 } })
    await config.connect()
    const told: unknown[] = []
    config.onChange('server.port', (...values) => told.push(values))
    config.onChange('server.host', (...values) => told.push(values))
    const done = outcome(config, 'server.port')
    source.replace({ server: { port: 2 } })
    await done
    expect(told).toEqual([[2, 1]])
  })

  test('a bad update names path, source and reason, and the last good stays', async () => {
    const { config, source } = start({ server: { port: 1 } })
    await config.connect()
    const refused = outcome(config, 'server.port')
    source.replace({ server: { port: 'http' } })
    expect(await refused).toMatchObject({
      code: 'invalid_argument',
      detail: expect.stringMatching(/server\.port: .*from live/),
    })
    expect(config.value.server.port).toBe(1)
    expect(config.health()).toMatchObject({ status: 'degraded' })
    const taken = outcome(config, 'server.port')
    source.replace({ server: { port: 3 } })
    await taken
    expect(config.health()).toEqual({ status: 'up' })
  })

  test('a secret shows in no error', async () => {
    const schema = z.object({
      db: z.object({
        password: z.string().refine(() => false, { error: ({ input }) => `bad: ${input}` }),
      }),
    })
    const values = { db: { password: 'hunter2' } }
    const config = createConfig({ schema, secrets: ['db.*'], sources: [objectSource({ values })] })
    open.push(config)
    const error = await config.connect().catch((failure: unknown) => failure)
    expect(error).toMatchObject({ detail: expect.stringContaining('db.password') })
    expect(`${error}${JSON.stringify(error)}`).not.toContain('hunter2')
  })

  test('a burst is taken as one', async () => {
    const { config, source } = start({ server: { port: 1 } }, { coalesce: 50 })
    await config.connect()
    const seen: unknown[] = []
    config.onChange('server.port', (port) => seen.push(port))
    const done = outcome(config, 'server.port')
    for (let port = 2; port <= 20; port++) source.replace({ server: { port } })
    await done
    expect(seen).toEqual([20])
  })

  test('a listener that has been removed is not called', async () => {
    const { config, source } = start({ server: { port: 1 } })
    await config.connect()
    const remove = config.onChange('server', () => expect.fail('called'))
    remove()
    const done = outcome(config, 'server.port')
    source.replace({ server: { port: 2 } })
    await done
  })
})

describe('sources that fail', () => {
  const failing = (
    load: ConfigSource['load'],
    watch?: NonNullable<ConfigSource['watch']>,
  ): ConfigSource => {
    const { watch: _, ...source } = objectSource({ values: {} })
    return { ...source, name: 'failing', load, ...(watch === undefined ? {} : { watch }) }
  }

  test('a source that does not answer is named', async () => {
    const slow = failing(
      (options) =>
        new Promise((_resolve, reject) => {
          options?.signal?.addEventListener('abort', () => reject(options.signal?.reason))
        }),
    )
    const { config } = start({}, { timeout: 50, sources: [slow] })
    await expect(config.connect()).rejects.toMatchObject({
      detail: expect.stringMatching(/"failing".*timeout/),
    })
  })

  test('the first source that answers counts, and comes back when it answers again', async () => {
    let broken = true
    const first = objectSource({ values: { from: 'first' }, name: 'first' })
    const flaky: ConfigSource = {
      ...first,
      load: (options) => (broken ? Promise.reject(new Error('down')) : first.load(options)),
    }
    const second = objectSource({ values: { from: 'second' }, name: 'second' })
    const config = createConfig({
      sources: [fallbackSource({ sources: [flaky, second] })],
      coalesce: 1,
    })
    open.push(config)
    await config.connect()
    expect(config.explain('from')).toMatchObject([{ value: 'second', origin: 'second' }])
    const changed = new Promise((resolve) => config.onChange('from' as never, resolve as never))
    broken = false
    expect(await changed).toBe('first')
    await expect(
      fallbackSource({ sources: [failing(() => Promise.reject(new Error('down')))] }).load(),
    ).rejects.toMatchObject({ code: 'unavailable', detail: expect.stringContaining('failing: ') })
  })

  test('a watch that breaks is begun again, and health tells of it meanwhile', async () => {
    let watches = 0
    const config = createConfig({
      coalesce: 1,
      sources: [
        failing(
          async () => ({ values: { n: 0 } }),
          async function* () {
            watches += 1
            if (watches === 1) throw new Error('cut')
            yield { values: { n: watches } }
            await sleep(60_000)
          },
        ),
      ],
    })
    open.push(config)
    const changed = new Promise((resolve) => config.onChange('n' as never, resolve as never))
    await config.connect()
    await sleep(0)
    expect(config.health()).toMatchObject({
      status: 'degraded',
      detail: expect.stringContaining('cut'),
    })
    expect(await changed).toBe(2)
    expect(config.health()).toEqual({ status: 'up' })
  })
})
