/** A process that serves and is found by etcd: `node etcd-worker.ts <address of etcd>`. */
import { consoleLogger, createService } from '@micro/core'
import { etcdRegistry } from '@micro/plugin-registry-etcd'
import { httpTransport } from '@micro/plugin-transport-http'
import { Work } from './work.ts'

const [hosts = ''] = process.argv.slice(2)
const service = createService({
  name: 'worker',
  registry: etcdRegistry({ hosts }),
  registration: { ttl: 5_000 },
  transports: [httpTransport()],
  logger: consoleLogger({ level: 'error' }),
})
service.handle(Work, { safe: () => service.id, once: () => service.id })
await service.start()
process.stdout.write(`${service.id}\n`)
