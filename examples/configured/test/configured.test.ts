import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createConfig } from '@micro/core/config'
import { jsonSchemaOf } from '@micro/core/schema'
import { fileSource } from '@micro/plugin-config-file'
import { afterEach, expect, test } from 'vitest'
import { settings } from '../src/settings.ts'

const root = join(import.meta.dirname, '..')
const undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one()
})

test('the committed JSON Schema is that of the settings', async () => {
  const committed = JSON.parse(await readFile(join(root, 'shop.schema.json'), 'utf8'))
  expect(committed).toEqual(JSON.parse(JSON.stringify(jsonSchemaOf(settings))))
})

test('the committed config is what the settings ask for', async () => {
  await using config = createConfig({
    schema: settings,
    sources: [fileSource({ path: join(root, 'config') })],
  })
  await config.connect()
  expect(config.value.greeting).toBe('Good day')
})

interface Line {
  readonly level: string
  readonly message: string
  readonly [field: string]: unknown
}

/** The shop as a process; its log, line by line. */
async function openShop(config: string, env: Record<string, string>, args: string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'configured-'))
  undo.push(() => rm(folder, { recursive: true }))
  const path = join(folder, 'shop.yaml')
  await writeFile(path, config)
  const child: ChildProcess = spawn(process.execPath, [join(root, 'src/shop.ts'), ...args], {
    env: { PATH: process.env['PATH'], SHOP_CONFIG: path, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  undo.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  })
  const lines: string[] = []
  let told: (() => void) | undefined
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream as NodeJS.ReadableStream }).on('line', (line) => {
      lines.push(line)
      told?.()
    })
  }
  const until = async (message: string): Promise<Line> => {
    for (;;) {
      const found = lines.find((line) => line.includes(JSON.stringify(message)))
      if (found !== undefined) return JSON.parse(found) as Line
      await new Promise<void>((resolve) => {
        told = resolve
      })
    }
  }
  return { child, path, lines, until }
}

async function enter(started: Line): Promise<unknown> {
  const [url] = started['endpoints'] as string[]
  const response = await fetch(`${url}/shop/enter`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Ada' }),
  })
  return response.json()
}

test('file, environment and flags make the settings; a change reaches the running shop', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'configured-'))
  undo.push(() => rm(folder, { recursive: true }))
  const secret = join(folder, 'key')
  await writeFile(secret, 'hunter2\n')
  const { path, lines, until } = await openShop(
    'greeting: Hello\nserver:\n  port: 1\n',
    { SHOP_GREETING: 'Good evening', SHOP_VAULT__KEY_FILE: secret },
    ['--server.port=0', '--running.timeout', '2s'],
  )
  expect((await until('config'))['running']).toMatchObject({ timeout: 2_000 })
  const started = await until('started')
  expect(await enter(started)).toEqual({ text: 'Good evening, Ada' })

  await writeFile(path, 'running:\n  logLevel: warn\n  limits:\n    concurrentCalls: zero\n')
  expect(String((await until('config refused'))['error'])).toContain(
    'running.limits.concurrentCalls',
  )
  await writeFile(path, 'running:\n  limits:\n    concurrentCalls: 7\n')
  expect((await until('config changed'))['running']).toMatchObject({
    limits: { concurrentCalls: 7 },
  })
  expect(await enter(started)).toEqual({ text: 'Good evening, Ada' })
  expect(lines.join('\n')).toContain('[secret]')
  expect(lines.join('\n')).not.toContain('hunter2')
})

test('a start with bad settings ends at once, and shows no secret on its way out', async () => {
  const { child, lines } = await openShop(
    'greeting: 7\nvault:\n  key: [hunter2]\n',
    { SHOP_VAULT__KEY: 'hunter2' },
    ['--sever.port=hunter2'],
  )
  const [code] = await once(child, 'close')
  expect(code).toBe(1)
  expect(lines.join('\n')).toContain('did you mean --server.port?')
  expect(lines.join('\n')).not.toContain('hunter2')
})

test('--help tells them all', async () => {
  const { child, lines } = await openShop('{}', {}, ['--help'])
  const [code] = await once(child, 'close')
  expect(code).toBe(0)
  expect(lines[0]).toBe('Usage: shop [flags]')
  expect(lines.join('\n')).toContain('--running.limits.concurrent-calls=<integer>')
})
