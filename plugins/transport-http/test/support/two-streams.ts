/** Two streams on one HTTP/2 connection; the process has to stay until the longer one has ended. */
import { createService, defineService, serverStream } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { memoryRegistry } from '@micro/core/registry'
import { httpTransport } from '@micro/plugin-transport-http'

const Ticker = defineService('ticker', { tick: serverStream<number, number>() })
const [url = ''] = process.argv.slice(2)
const registry = memoryRegistry()
await registry.register({
  schema: 1,
  id: 'ticker-1',
  service: 'ticker',
  version: '1',
  weight: 1,
  labels: {},
  endpoints: [{ transport: 'http', url, contentTypes: ['application/json'] }],
})
const client = createService({
  name: 'client',
  registry,
  logger: memoryLogger(),
  transports: [httpTransport()],
})
const read = async (count: number): Promise<void> => {
  for await (const n of client.client(Ticker).tick(count)) console.log(`${count}: ${n}`)
}
await Promise.all([read(1), read(4)])
