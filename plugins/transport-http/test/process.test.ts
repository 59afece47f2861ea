import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { createService, defineService, serverStream } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { httpTransport } from '@micro/plugin-transport-http'
import { expect, test } from 'vitest'
import { closing } from './support/echo.ts'

const Ticker = defineService('ticker', { tick: serverStream<number, number>() })

test('a process stays while any of its streams runs, and ends by itself afterwards', async () => {
  const service = closing(
    createService({
      name: 'ticker',
      logger: memoryLogger(),
      shutdown: { signals: false, spread: 0 },
      transports: [httpTransport()],
    }),
  )
  service.handle(Ticker, {
    async *tick(count) {
      for (let n = 1; n <= count; n++) {
        // Time passes between messages, in which nothing else keeps the other process.
        await wait(50)
        yield n
      }
    },
  })
  await service.start()
  const script = join(import.meta.dirname, 'support/two-streams.ts')
  const url = service.nodes[0]?.endpoints[0]?.url as string
  const child = spawn(process.execPath, [script, url], { stdio: ['ignore', 'pipe', 'inherit'] })
  const output = text(child.stdout)
  const [code] = (await once(child, 'exit')) as [number]
  expect((await output).trim().split('\n').sort()).toEqual(['1: 1', '4: 1', '4: 2', '4: 3', '4: 4'])
  expect(code).toBe(0)
})
