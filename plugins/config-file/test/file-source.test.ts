// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is put in looks like this
import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConfig } from '@micro/core/config'
import { type FileSourceOptions, fileSource } from '@micro/plugin-config-file'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'

let directory = ''
const opened: AsyncDisposable[] = []
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'config-file-'))
})
afterEach(async () => {
  for (const one of opened.splice(0)) await one[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

async function put(name: string, text: string): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, text)
  return path
}

/** A config over the path, and a way to wait for what becomes of the next change. */
async function follow(path: string, more: Partial<FileSourceOptions> = {}) {
  const config = createConfig({
    sources: [fileSource({ path, pollInterval: 200, ...more })],
    schema: z.object({ n: z.number() }),
    coalesce: 1,
  })
  opened.push(config)
  await config.connect()
  return {
    config,
    until: (wanted: number) =>
      new Promise<void>((resolve) => {
        if (config.value.n === wanted) return resolve()
        config.onChange('n', (n) => n === wanted && resolve())
      }),
    refused: () => new Promise<Error>((resolve) => config.onRejected(resolve)),
  }
}

describe('documents', () => {
  test('lines of values, in JSON and YAML', async () => {
    const yaml = await put('a.yaml', '# comment\nserver:\n  port: 1 # here\n  "tls.on": true\n')
    expect((await fileSource({ path: yaml }).load()).origins).toMatchObject({
      server: `${yaml}:2`,
      'server.port': `${yaml}:3`,
    })
    const json = await put('a.json', '{\n  "server": {\n    "port": 1\n  }\n}')
    expect((await fileSource({ path: json }).load()).origins).toMatchObject({
      'server.port': `${json}:3`,
    })
    const toml = await put('a.toml', '[server]\nport = 1\n')
    expect(await fileSource({ path: toml }).load()).toMatchObject({
      values: { server: { port: 1 } },
      origins: { server: toml },
    })
  })

  test.each([
    ['a.json', '{"a": 1,\n "b" "hunter2"}', 2],
    ['a.json', '{"a": hunter2}', undefined],
    ['a.json', '', undefined],
    ['a.json', '[1]', 1],
    ['a.json', '// no\n{}', undefined],
    ['a.yaml', 'a: 1\n b: [hunter2', 1],
    ['a.yaml', 'a: 1\na: 2', 2],
    ['a.yaml', '- 1', 1],
    ['a.toml', 'a = 1\nb = hunter2', 2],
  ])('a malformed %s is told by its place, without its text: %j', async (name, text, line) => {
    const path = await put(name, text)
    const error = await fileSource({ path })
      .load()
      .catch((failure: unknown) => failure)
    expect(error).toMatchObject({
      code: 'invalid_argument',
      detail: expect.stringContaining(line === undefined ? path : `${path}:${line}: `),
    })
    expect(String(error)).not.toContain('hunter2')
  })

  test('an empty YAML or TOML document is an empty tree', async () => {
    for (const name of ['a.yaml', 'a.toml']) {
      expect((await fileSource({ path: await put(name, '\n# nothing\n') }).load()).values).toEqual(
        {},
      )
    }
  })

  test('bombs are refused', async () => {
    const aliases = ['a: &a [x, x, x, x, x, x, x, x, x, x]']
    for (const [at, name] of ['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].entries()) {
      const above = 'abcdefgh'[at]
      aliases.push(
        `${name}: &${name} [${Array.from({ length: 10 }, () => `*${above}`).join(', ')}]`,
      )
    }
    const bombs = {
      'aliases.yaml': aliases.join('\n'),
      'deep.yaml': `a: ${'['.repeat(20_000)}`,
      'deep.json': `{"a": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      'cycle.yaml': 'a: &a [*a]',
      'large.json': JSON.stringify({ a: 'x'.repeat(2 ** 20) }),
      'proto.json': '{"__proto__": {"polluted": 1}}',
      'proto.yaml': '__proto__: {polluted: 1}',
      'proto.toml': '[__proto__]\npolluted = 1',
    }
    for (const [name, text] of Object.entries(bombs)) {
      const config = createConfig({ sources: [fileSource({ path: await put(name, text) })] })
      const error = await config.connect().catch((failure: unknown) => failure)
      expect(error, name).toMatchObject({ code: /invalid_argument|resource_exhausted/ })
    }
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })

  test('variables are put in, with defaults, and only where that was asked for', async () => {
    const path = await put('a.yaml', 'a: "${HOST}:${PORT:-80}"\nb: [ "$${HOST}", "${EMPTY:-x}" ]\n')
    const env = { HOST: '${PORT}', EMPTY: '' }
    expect((await fileSource({ path, substitute: true, env }).load()).values).toEqual({
      a: '${PORT}:80',
      b: ['${HOST}', 'x'],
    })
    expect((await fileSource({ path }).load()).values).toMatchObject({ a: '${HOST}:${PORT:-80}' })
    const missing = fileSource({ path, substitute: true, env: {} }).load()
    await expect(missing).rejects.toMatchObject({ detail: 'a: the variable HOST is not set' })
    const odd = await put('b.yaml', 'a: ${a b}')
    await expect(fileSource({ path: odd, substitute: true }).load()).rejects.toMatchObject({
      detail: expect.stringContaining('$$'),
    })
  })
})

describe('paths', () => {
  test('a directory’s documents are merged in the order of their names', async () => {
    await put('10-base.yaml', 'server: {port: 1, host: a}\n')
    await put('20-prod.json', '{"server": {"port": 2}}')
    await put('.hidden.yaml', 'server: {port: 3}\n')
    await put('20-prod.json~', '{"server": {"port": 4}}')
    await put('README.md', 'no config')
    const { values, origins } = await fileSource({ path: directory }).load()
    expect(values).toEqual({ server: { port: 2, host: 'a' } })
    expect(origins).toMatchObject({ 'server.port': `${join(directory, '20-prod.json')}:1` })
  })

  test('what is not there fails the start, unless it is optional', async () => {
    const path = join(directory, 'none.yaml')
    await expect(fileSource({ path }).load()).rejects.toMatchObject({
      code: 'unavailable',
      detail: `${path}: it does not exist`,
    })
    expect((await fileSource({ path, optional: true }).load()).values).toEqual({})
    await expect(fileSource({ path: await put('a.ini', '') }).load()).rejects.toMatchObject({
      detail: expect.stringContaining('.toml'),
    })
    const binary = await put('a.json', '')
    await writeFile(binary, new Uint8Array([0xff]))
    await expect(fileSource({ path: binary }).load()).rejects.toMatchObject({
      detail: expect.stringContaining('UTF-8'),
    })
  })

  test.each([
    [{ path: '' }, 'path'],
    [{ path: 'a.json', maxBytes: 0 }, 'maxBytes'],
    [{ path: 'a.json', pollInterval: -1 }, 'pollInterval'],
  ])('option %j is refused', (options, field) => {
    expect(() => fileSource(options)).toThrow(new RegExp(`${field}: `))
  })
})

describe('changes', () => {
  test('written in place, replaced, deleted and made again', async () => {
    const path = await put('a.json', '{"n": 1}')
    const { config, until } = await follow(path)
    await writeFile(path, '{"n": 2}')
    await until(2)
    await put('new', '{"n": 3}')
    await rename(join(directory, 'new'), path)
    await until(3)
    await unlink(path)
    await put('other.json', '{"n": 99}')
    expect(config.value.n).toBe(3)
    await writeFile(path, '{"n": 4}')
    await until(4)
    expect(config.health()).toEqual({ status: 'up' })
  })

  test('the links of a mounted ConfigMap are swapped', async () => {
    const mount = join(directory, 'mount')
    await mkdir(mount)
    const version = async (n: number): Promise<void> => {
      await mkdir(join(mount, `..v${n}`))
      await writeFile(join(mount, `..v${n}`, 'a.yaml'), `n: ${n}\n`)
      await symlink(`..v${n}`, join(mount, '..data_tmp'))
      await rename(join(mount, '..data_tmp'), join(mount, '..data'))
    }
    await version(1)
    await symlink(join('..data', 'a.yaml'), join(mount, 'a.yaml'))
    const file = await follow(join(mount, 'a.yaml'))
    const all = await follow(mount)
    await version(2)
    await Promise.all([file.until(2), all.until(2)])
    await rm(join(mount, '..v1'), { recursive: true })
    await version(3)
    await Promise.all([file.until(3), all.until(3)])
  })

  test('a directory that is removed and made again', async () => {
    const path = join(directory, 'sub', 'a.json')
    await mkdir(join(directory, 'sub'))
    await writeFile(path, '{"n": 1}')
    const { until } = await follow(path)
    await rm(join(directory, 'sub'), { recursive: true })
    await mkdir(join(directory, 'sub'))
    await writeFile(path, '{"n": 2}')
    await until(2)
  })

  test('a malformed document is reported by its place, and the last good one stays', async () => {
    const path = await put('a.json', '{"n": 1}')
    const { config, until, refused } = await follow(path)
    const torn = refused()
    await writeFile(path, '{"n": ')
    expect((await torn).message).toContain(path)
    expect(config.value.n).toBe(1)
    expect(config.health()).toMatchObject({ status: 'degraded' })
    const invalid = refused()
    await writeFile(path, '{"n": "two"}')
    expect((await invalid).message).toMatch(/n: .*a\.json:1/)
    await writeFile(path, '{"n": 3}')
    await until(3)
    expect(config.health()).toEqual({ status: 'up' })
  })

  const rewrites = Math.max(200, Math.round(10_000 * Number(process.env['MICRO_SCALE'] ?? 0)))
  test(`${rewrites} rewrites, half of them torn or invalid: only valid ones show, and the last does`, async () => {
    const path = await put('a.json', '{"n": 0}')
    const { config, until } = await follow(path)
    const seen: number[] = []
    config.onChange('n', (n) => seen.push(n))
    for (let n = 1; n <= rewrites; n++) {
      const kind = n % 4
      const text = kind === 1 ? `{"n": ${n}` : kind === 3 ? `{"n": "${n}"}` : `{"n": ${n}}`
      await writeFile(path, text)
    }
    await writeFile(path, `{"n": ${rewrites + 2}}`)
    await until(rewrites + 2)
    for (const n of seen) expect(n % 2, `${n} was valid`).toBe(0)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
  })
})
