/** A process that serves: `node worker.ts <registry directory> <depth of its chain, 0 for none> <work>`. */
import { setTimeout as wait } from 'node:timers/promises'
import { consoleLogger, createService } from '@micro/core'
import { fileRegistry } from '@micro/plugin-registry-file'
import { httpTransport } from '@micro/plugin-transport-http'
import { Chain, type SignalReport, Work } from './work.ts'

const [directory = '', text = '0', work = '1'] = process.argv.slice(2)
const depth = Number(text)

const service = createService({
  name: 'worker',
  registry: fileRegistry({ directory }),
  registration: { ttl: 5_000 },
  transports: [httpTransport()],
  logger: consoleLogger({ level: 'error' }),
})
if (depth === 0) {
  const answer = async (): Promise<string> => {
    await wait(Number(work))
    return service.id
  }
  service.handle(Work, { safe: answer, once: answer })
} else {
  const next = service.client(Chain(depth + 1))
  service.handle(Chain(depth), {
    hang: async (_input, context) => {
      context.onCancel(() => {
        const report: SignalReport = { depth, at: Date.now() }
        process.stdout.write(`${JSON.stringify(report)}\n`)
      })
      // The third is the deepest: it waits for the signal alone.
      if (depth < 3) await next.hang()
      else await new Promise((_resolve, reject) => context.onCancel(reject))
    },
  })
}
await service.start()
process.stdout.write(`${service.id}\n`)
