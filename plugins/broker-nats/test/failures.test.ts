import { join } from 'node:path'
import { outageTests } from '@micro/broker-suite'
import { natsBroker } from '@micro/plugin-broker-nats'
import { natsBinary, startNats } from '@micro/test-services'
import { hasNats } from './support.ts'

outageTests({
  name: 'NATS',
  isThere: hasNats,
  start: () => startNats(natsBinary() ?? ''),
  open: ({ port, namespace, timeout = 2_000, silence = 600 }) =>
    natsBroker({
      servers: `nats://127.0.0.1:${port}`,
      ...{ namespace, timeout, ackWait: silence, lanes: 4 },
    }),
  process: join(import.meta.dirname, 'take-and-hang.ts'),
  cutEvery: 200,
})
