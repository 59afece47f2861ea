import { storeConformance } from '@micro/conformance/store'
import { cockroachStore } from '@micro/plugin-store-cockroach'
import { startPostgres } from '@micro/test-services'
import { afterAll, describe } from 'vitest'
import { binaries } from './support.ts'

const postgres = binaries === undefined ? undefined : await startPostgres(binaries)
afterAll(() => postgres?.stop())

describe.skipIf(postgres === undefined)('a real PostgreSQL', () => {
  storeConformance({
    name: 'cockroach',
    create: (namespace) =>
      cockroachStore({
        connectionString: postgres?.url ?? '',
        namespace,
        maxConnections: 4,
        pollInterval: 20,
        sweepInterval: 100,
      }),
  })
})
