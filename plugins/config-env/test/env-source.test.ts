import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConfig } from '@micro/core/config'
import { envSource } from '@micro/plugin-config-env'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'

const schema = z.object({
  server: z.object({
    port: z.number().int(),
    idleTimeout: z.number().optional(),
    maxBody: z.number().optional(),
    tls: z.boolean().optional(),
  }),
  tags: z.array(z.string()).optional(),
  ports: z.array(z.number()).optional(),
  limits: z.record(z.string(), z.number()).optional(),
  db: z.object({ url: z.string(), password: z.string() }).optional(),
  keyFile: z.string().optional(),
})
let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'config-env-'))
})
afterAll(() => rm(directory, { recursive: true }))

const load = async (env: Record<string, string>, more: object = {}) =>
  (await envSource({ prefix: 'APP_', env, schema, ...more }).load()).values

describe('types come from the schema', () => {
  test.each([
    ['8080', 8080],
    [' 8080 ', 8080],
    ['1e3', 1000],
    ['-1', -1],
    ['8080x', '8080x'],
    ['', ''],
    ['0x10', '0x10'],
  ])('a number: %j', async (text, port) => {
    expect(await load({ APP_SERVER__PORT: text })).toEqual({ server: { port } })
  })

  test.each([
    ['250ms', 250],
    ['5s', 5_000],
    ['1.5m', 90_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['10MiB', 10_485_760],
    ['64 KiB', 65_536],
    ['2GB', 2e9],
    ['5 parsecs', '5 parsecs'],
    ['5 constructor', '5 constructor'],
  ])('a duration or a size: %s', async (text, idleTimeout) => {
    expect(await load({ APP_SERVER__IDLE_TIMEOUT: text })).toEqual({ server: { idleTimeout } })
  })

  test.each([
    ['true', true],
    ['YES', true],
    ['1', true],
    ['off', false],
    ['0', false],
    ['maybe', 'maybe'],
  ])('a boolean: %s', async (text, tls) => {
    expect(await load({ APP_SERVER__TLS: text })).toEqual({ server: { tls } })
  })

  test('lists, by commas or as JSON; records as JSON', async () => {
    expect(await load({ APP_TAGS: 'a, b,c', APP_PORTS: '1,2' })).toEqual({
      tags: ['a', 'b', 'c'],
      ports: [1, 2],
    })
    expect(await load({ APP_TAGS: '["a,b"]', APP_LIMITS: '{"a":1}' })).toEqual({
      tags: ['a,b'],
      limits: { a: 1 },
    })
    expect(await load({ APP_TAGS: '' })).toEqual({ tags: [] })
  })

  test('strings stay strings, whatever they look like', async () => {
    expect(await load({ APP_DB__URL: '123', APP_DB__PASSWORD: '{"a' })).toEqual({
      db: { url: '123', password: '{"a' },
    })
  })

  test('JSON that does not parse is told by its path, without the text', async () => {
    const error = await load({ APP_LIMITS: '{"hunter2' }).catch((failure: unknown) => failure)
    expect(error).toMatchObject({ code: 'invalid_argument', detail: 'limits: it is no valid JSON' })
    expect(String(error)).not.toContain('hunter2')
  })

  test('without a schema all are strings, and keys are camel case', async () => {
    const env = { APP_SERVER__IDLE_TIMEOUT: '5s', APP_A: '1', OTHER: 'x', APP_: 'x' }
    expect((await envSource({ prefix: 'APP_', env }).load()).values).toEqual({
      server: { idleTimeout: '5s' },
      a: '1',
    })
  })

  test('any text is loaded, and nothing but the variables of the prefix', async () => {
    const name = fc.stringMatching(/^[A-Z][A-Z0-9]{0,8}$/)
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, fc.string()), async (given) => {
        const env = Object.fromEntries(
          Object.entries(given).map(([key, text]) => [`T_${key}`, text]),
        )
        const { values } = await envSource({ prefix: 'T_', env: { ...env, X: '1' } }).load()
        const wanted = Object.entries(given).map(([key, text]) => [key.toLowerCase(), text])
        expect(values).toEqual(Object.fromEntries(wanted))
      }),
    )
  })
})

describe('files', () => {
  test('.env files under the environment, with their origins', async () => {
    const first = join(directory, 'first.env')
    const second = join(directory, 'second.env')
    await writeFile(first, 'APP_SERVER__PORT=1\nAPP_TAGS="a # b"\n# no\nOTHER=x\n')
    await writeFile(second, "export APP_SERVER__PORT=2\nAPP_DB__URL='x=y'\n")
    const source = envSource({
      prefix: 'APP_',
      schema,
      files: [first, second],
      env: { APP_DB__PASSWORD: 'p' },
    })
    const { values, origins } = await source.load()
    expect(values).toEqual({
      server: { port: 2 },
      tags: ['a # b'],
      db: { url: 'x=y', password: 'p' },
    })
    expect(origins).toMatchObject({
      'server.port': `${second}: APP_SERVER__PORT`,
      'db.password': 'APP_DB__PASSWORD',
    })
  })

  test('a mounted secret, without its line end', async () => {
    const file = join(directory, 'password')
    await writeFile(file, 'hunter2\n')
    expect(await load({ APP_DB__PASSWORD_FILE: file })).toEqual({ db: { password: 'hunter2' } })
    expect(await load({ APP_KEY_FILE: 'plain' })).toEqual({ keyFile: 'plain' })
    await expect(
      load({ APP_DB__PASSWORD_FILE: file, APP_DB__PASSWORD: 'x' }),
    ).rejects.toMatchObject({
      code: 'invalid_argument',
      detail: expect.stringContaining('APP_DB__PASSWORD_FILE'),
    })
  })

  test('files that cannot be read are named, with the variable', async () => {
    const binary = join(directory, 'binary')
    const large = join(directory, 'large')
    const closed = join(directory, 'closed')
    await writeFile(binary, new Uint8Array([0xff, 0xfe]))
    await writeFile(large, 'x'.repeat(11))
    await writeFile(closed, 'x')
    await chmod(closed, 0)
    const gone = join(directory, 'gone')
    const failing: readonly (readonly [string, string, string])[] = [
      [gone, 'unavailable', 'does not exist'],
      [directory, 'unavailable', 'is a directory'],
      [binary, 'invalid_argument', 'no UTF-8'],
      [large, 'resource_exhausted', 'maxFileBytes'],
    ]
    for (const [file, code, why] of failing) {
      const more = { maxFileBytes: 10 }
      await expect(load({ APP_DB__PASSWORD_FILE: file }, more)).rejects.toMatchObject({
        code,
        detail: expect.stringMatching(new RegExp(`APP_DB__PASSWORD_FILE.*${why}`)),
      })
      await expect(load({}, { ...more, files: [file] })).rejects.toMatchObject({ code })
    }
  })
})

describe('bad input', () => {
  test.each([
    [{ prefix: '' }, 'prefix'],
    [{ prefix: 'a b' }, 'prefix'],
    [{ prefix: 'A_', separator: '' }, 'separator'],
    [{ prefix: 'A_', maxFileBytes: 0 }, 'maxFileBytes'],
  ])('option %j', (options, field) => {
    expect(() => envSource(options)).toThrow(new RegExp(`^invalid_argument: ${field}: `))
  })

  test('paths that contradict each other, or have holes', async () => {
    const bad = [
      { APP_DB: 'x', APP_DB__URL: 'y' },
      { APP_DB__URL: 'y', APP_DB: 'x' },
      { APP_SERVER__PORT: '1', APP_SERVER__port: '2' },
      { APP___A: '1' },
      { APP_A__: '1' },
    ]
    for (const env of bad)
      await expect(load(env)).rejects.toMatchObject({ code: 'invalid_argument' })
  })

  test('names that reach into prototypes are refused by core, and pollute nothing', async () => {
    for (const name of ['APP_CONSTRUCTOR__PROTOTYPE__X', 'APP_PROTOTYPE']) {
      const config = createConfig({
        sources: [envSource({ prefix: 'APP_', env: { [name]: '1' } })],
      })
      await expect(config.connect()).rejects.toMatchObject({ code: 'invalid_argument' })
    }
    expect(({} as { x?: string }).x).toBeUndefined()
  })
})

test('config says which variable gave a value, and names it for a bad one', async () => {
  const env = { APP_SERVER__PORT: 'http', APP_DB__URL: 'u', APP_DB__PASSWORD: 'hunter2' }
  const bad = createConfig({ schema, sources: [envSource({ prefix: 'APP_', env, schema })] })
  await expect(bad.connect()).rejects.toMatchObject({
    detail: expect.stringMatching(/server\.port: .*APP_SERVER__PORT/),
  })
  const good = createConfig({
    schema,
    secrets: ['db.password'],
    sources: [envSource({ prefix: 'APP_', env: { ...env, APP_SERVER__PORT: '80' }, schema })],
  })
  await good.connect()
  expect(good.explain('server.port')).toMatchObject([{ value: 80, origin: 'APP_SERVER__PORT' }])
  expect(JSON.stringify(good.explain('db'))).not.toContain('hunter2')
  await good.close()
})
