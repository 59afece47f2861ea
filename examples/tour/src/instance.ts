/** One instance of the greeter, as a process of its own: `node instance.ts <name> <registry directory> [port]`. */
import { setTimeout as wait } from 'node:timers/promises'
import { consoleLogger, createService } from '@micro/core'
import { fileRegistry } from '@micro/plugin-registry-file'
import { httpTransport } from '@micro/plugin-transport-http'
import { Greeter } from './greeter.ts'

const [name = 'greeter', directory = '', port = '0'] = process.argv.slice(2)

const service = createService({
  name: 'greeter',
  labels: { instance: name },
  registry: fileRegistry({ directory }),
  registration: { ttl: 3_000 },
  transports: [httpTransport({ port: Number(port) })],
  logger: consoleLogger({ level: 'warn' }),
})
service.handle(Greeter, {
  async hello({ name: caller }) {
    await wait(2)
    return { text: `Hello ${caller}`, by: name }
  },
  async *countdown({ from }) {
    for (let n = from; n > 0; n--) {
      yield { n, by: name }
      await wait(50)
    }
  },
})
await service.start()
// The tour waits for this line, and shows the address.
console.log(service.nodes[0]?.endpoints[0]?.url)
