import { join } from 'node:path'
import { outageTests } from '@micro/broker-suite'
import { redisBroker } from '@micro/plugin-broker-redis'
import { redisBinary, startRedis } from '@micro/test-services'
import { hasRedis } from './support.ts'

outageTests({
  name: 'Redis',
  isThere: hasRedis,
  start: () => startRedis(redisBinary() ?? ''),
  open: ({ port, namespace, timeout = 2_000, silence = 600 }) =>
    redisBroker({ url: `redis://127.0.0.1:${port}`, namespace, timeout, leaseTtl: silence }),
  process: join(import.meta.dirname, 'take-and-hang.ts'),
  cutEvery: 40,
})
