import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createService, type Service } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { fileRegistry } from '@micro/plugin-registry-file'
import { httpTransport } from '@micro/plugin-transport-http'

interface Worker {
  /** Id of its node. */
  readonly id: string
  readonly process: ChildProcess
  /** Every line after the first. */
  readonly lines: AsyncIterableIterator<string>
}

/** Worker processes around one registry, and a client of theirs in this process. */
export interface Fleet extends AsyncDisposable {
  readonly client: Service
  start(depth?: number): Promise<Worker>
}

export async function createFleet(): Promise<Fleet> {
  const directory = await mkdtemp(join(tmpdir(), 'micro-proof-'))
  const started: ChildProcess[] = []
  const client = createService({
    name: 'client',
    registry: fileRegistry({ directory }),
    transports: [httpTransport()],
    logger: memoryLogger(),
    shutdown: { signals: false },
  })
  await client.start()
  return {
    client,
    async start(depth = 0) {
      const script = join(import.meta.dirname, 'worker.ts')
      const child = spawn(process.execPath, [script, directory, String(depth)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      started.push(child)
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      const { value, done } = await lines.next()
      if (done === true) throw new Error(`a worker did not start: ${child.exitCode}`)
      return { id: value, process: child, lines: lines as AsyncIterableIterator<string> }
    },
    async [Symbol.asyncDispose]() {
      await client.stop()
      for (const child of started) {
        if (child.exitCode !== null || child.signalCode !== null) continue
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
      await rm(directory, { recursive: true, force: true })
    },
  }
}
