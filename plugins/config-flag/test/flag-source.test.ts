import { createConfig } from '@micro/core/config'
import { type FlagSourceOptions, flagHelp, flagSource } from '@micro/plugin-config-flag'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'

const schema = z.object({
  server: z
    .object({
      port: z.number().int().default(8080).describe('Port to listen on.'),
      idleTimeout: z.number().default(60_000).describe('Milliseconds a connection may rest.'),
      tls: z.boolean().default(false),
    })
    .prefault({}),
  tags: z.array(z.string()).default([]),
  ports: z.array(z.number()).optional(),
  level: z.enum(['debug', 'info']).default('info'),
  labels: z.record(z.string(), z.string()).optional(),
  db: z.object({ password: z.string() }).optional(),
  name: z.string().optional(),
})

const load = async (args: readonly string[], options: FlagSourceOptions = {}) =>
  (await flagSource({ schema, args, ...options }).load()).values

describe('reading', () => {
  test.each([
    [['--server.port=8081'], { server: { port: 8081 } }],
    [['--server.port', '8081'], { server: { port: 8081 } }],
    [['--server.port', '-1'], { server: { port: -1 } }],
    [['--server.idle-timeout=90s'], { server: { idleTimeout: 90_000 } }],
    [['--server.idleTimeout=1m'], { server: { idleTimeout: 60_000 } }],
    [['--SERVER.PORT=1'], { server: { port: 1 } }],
    [['--server.tls'], { server: { tls: true } }],
    [['--server.tls=no'], { server: { tls: false } }],
    [['--no-server.tls'], { server: { tls: false } }],
    [['--server.tls', '--name=x'], { server: { tls: true }, name: 'x' }],
    [['--tags=a,b'], { tags: ['a', 'b'] }],
    [['--tags=a', '--tags=b,c'], { tags: ['a', 'b', 'c'] }],
    [['--ports=1,2'], { ports: [1, 2] }],
    [['--ports=[3]'], { ports: [3] }],
    [['--labels.zone=eu', '--labels.team=blue'], { labels: { zone: 'eu', team: 'blue' } }],
    [['--name='], { name: '' }],
    [['--name=a=b'], { name: 'a=b' }],
    [['--name', ''], { name: '' }],
    [['--name=two words\nand lines'], { name: 'two words\nand lines' }],
    [['--name=x', '--', '--server.port=1', 'file'], { name: 'x' }],
    [[], {}],
  ])('%j', async (args, values) => {
    expect(await load(args)).toEqual(values)
  })

  test.each([
    [['--sever.port=1'], '--sever.port: there is no such flag; did you mean --server.port?'],
    [['--verbose=1'], '--verbose: there is no such flag; --help lists them'],
    [['--server.idletimeot=1'], 'did you mean --server.idle-timeout?'],
    [['--level.x=1'], '--level.x: there is no such flag'],
    [['--no-server.port'], '--no-server.port: there is no such flag'],
    [['--no-server.tls=yes'], '--no-server.tls: there is no such flag'],
    [['--server.port'], '--server.port: give it a value'],
    [['--server.port', '--name=x'], '--server.port: give it a value'],
    [['--server.port=1', '--server.port=2'], '--server.port: another one says server.port already'],
    [['--server.tls', '--no-server.tls'], 'another one says server.tls already'],
    [['--=x'], '--: flags are written --name=value'],
    [['--a..b=1'], '--a..b: there is no such flag'],
    [['-p', '1'], '-p: flags are written --name=value'],
    [['file.txt'], 'file.txt: it is no flag'],
    [['--ports=[1'], 'ports: it is no valid JSON'],
  ])('%j is refused by name', async (args, why) => {
    await expect(load(args)).rejects.toMatchObject({
      code: 'invalid_argument',
      detail: expect.stringContaining(why),
    })
  })

  test('what a flag was given is in no message', async () => {
    for (const args of [
      ['--db.pasword=hunter2'],
      ['--db.password=hunter2', '--db.password=hunter2'],
      ['--ports=[hunter2'],
      ['-p=hunter2'],
    ]) {
      const error = await load(args).catch((failure: Error) => failure)
      expect(String(error)).not.toContain('hunter2')
    }
  })

  test('what is no flag can be left to the program', async () => {
    const values = await load(['build', '--name=x', 'file'], { positionals: 'ignore' })
    expect(values).toEqual({ name: 'x' })
  })

  test('without a schema all values are strings, keys camel case, and need an equals sign', async () => {
    const source = (args: string[]) => flagSource({ args }).load()
    expect((await source(['--server.idle-timeout=90s', '--on=true'])).values).toEqual({
      server: { idleTimeout: '90s' },
      on: 'true',
    })
    await expect(source(['--name', 'x'])).rejects.toThrow('--name: give it a value')
  })

  test('keys that pollute prototypes go no further than core', async () => {
    const config = createConfig({
      sources: [flagSource({ args: ['--__proto__.polluted=yes', '--a=1'] })],
    })
    await expect(config.connect()).rejects.toMatchObject({ code: 'invalid_argument' })
    expect(({} as { polluted?: string }).polluted).toBeUndefined()
    await config.close()
  })

  test('any arguments give values or invalid_argument', async () => {
    const part = fc.string({ unit: fc.constantFrom(...'-=.aserverport') })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(part, fc.string())), async (args) => {
        const outcome = await load(args, { onHelp: () => undefined }).catch(
          (error: { code: string }) => error.code,
        )
        if (typeof outcome === 'string') expect(outcome).toBe('invalid_argument')
      }),
    )
  })

  test('explain tells the flag', async () => {
    const config = createConfig({
      schema,
      sources: [flagSource({ schema, args: ['--server.idle-timeout=5s'] })],
    })
    await config.connect()
    expect(config.value.server).toEqual({ port: 8080, idleTimeout: 5_000, tls: false })
    expect(config.explain('server.idleTimeout')).toMatchObject([
      { source: 'flag', origin: '--server.idle-timeout', value: 5_000 },
    ])
    await config.close()
  })
})

describe('--help', () => {
  const options = { schema, program: 'shop', description: 'Sells tea.' }

  test('lists every flag with type, default and description', () => {
    expect(flagHelp(options).split('\n')).toEqual([
      'Usage: shop [flags]',
      '',
      'Sells tea.',
      '',
      '  --server.port=<integer>         Port to listen on. (default: 8080)',
      '  --server.idle-timeout=<number>  Milliseconds a connection may rest. (default: 60000)',
      '  --server.tls                    (--no-… for off) (default: false)',
      '  --tags=<string,…>               (default: [])',
      '  --ports=<number,…>',
      '  --level=debug|info              (default: "info")',
      '  --labels.<name>=<string>',
      '  --db.password=<string>',
      '  --name=<string>',
      '  --help                          Shows this.',
      '',
    ])
  })

  test('marks what must be given', () => {
    const text = flagHelp({ ...options, schema: z.object({ url: z.string() }) })
    expect(text).toContain('--url=<string>  (required)')
  })

  test.each([['--help'], ['-h']])('%s gives it to onHelp', async (flag) => {
    const texts: string[] = []
    await load(['--server.port=1', flag], { ...options, onHelp: (text) => texts.push(text) })
    expect(texts).toEqual([flagHelp(options)])
  })

  test('needs a schema', async () => {
    await expect(flagSource({ args: ['--help'] }).load()).rejects.toThrow('there is no schema')
    const opaque = {
      '~standard': { version: 1, vendor: 'own', validate: (value: unknown) => ({ value }) },
    } as const
    expect(() => flagHelp({ schema: opaque })).toThrow('own does not write it as JSON Schema')
  })
})

test.each([
  ['args', { args: 'x' as never }],
  ['positionals', { positionals: 'x' as never }],
])('a bad %s is refused by name', (field, options) => {
  expect(() => flagSource(options)).toThrow(`${field}:`)
})
