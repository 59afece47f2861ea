import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createService, type Service } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { randomSelector, type Selector } from '@micro/core/selector'
import { fileRegistry } from '@micro/plugin-registry-file'
import { httpTransport } from '@micro/plugin-transport-http'

interface Worker {
  /** Id of its node. */
  readonly id: string
  readonly process: ChildProcess
  /** Every line after the first. */
  readonly lines: AsyncIterableIterator<string>
}

interface WorkerOptions {
  /** Place in a chain of calls. @default 0, none */
  readonly depth?: number
  /** Milliseconds that it works on a call. @default 1 */
  readonly work?: number
}

/** Worker processes around one registry, and a client of theirs in this process. */
export interface Fleet extends AsyncDisposable {
  readonly client: Service
  /** Another client, which picks in its own way. */
  connect(selector: Selector): Promise<Service>
  start(options?: WorkerOptions): Promise<Worker>
}

export async function createFleet(): Promise<Fleet> {
  const directory = await mkdtemp(join(tmpdir(), 'micro-proof-'))
  const started: ChildProcess[] = []
  const clients: Service[] = []
  const connect = async (selector: Selector): Promise<Service> => {
    const client = createService({
      name: 'client',
      registry: fileRegistry({ directory }),
      transports: [httpTransport()],
      selector,
      logger: memoryLogger(),
      shutdown: { signals: false },
    })
    clients.push(client)
    await client.start()
    return client
  }
  return {
    client: await connect(randomSelector()),
    connect,
    async start({ depth = 0, work = 1 } = {}) {
      const script = join(import.meta.dirname, 'worker.ts')
      const child = spawn(process.execPath, [script, directory, String(depth), String(work)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      started.push(child)
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      const { value, done } = await lines.next()
      if (done === true) throw new Error(`a worker did not start: ${child.exitCode}`)
      return { id: value, process: child, lines: lines as AsyncIterableIterator<string> }
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) await client.stop()
      for (const child of started) {
        if (child.exitCode !== null || child.signalCode !== null) continue
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
      await rm(directory, { recursive: true, force: true })
    },
  }
}
