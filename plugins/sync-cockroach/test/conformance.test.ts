import { syncConformance } from '@micro/conformance/sync'
import { cockroachSync } from '@micro/plugin-sync-cockroach'
import { startPostgres } from '@micro/test-services'
import { afterAll, describe } from 'vitest'
import { binaries } from './support.ts'

const postgres = binaries === undefined ? undefined : await startPostgres(binaries)
afterAll(() => postgres?.stop())

describe.skipIf(postgres === undefined)('a real PostgreSQL', () => {
  syncConformance({
    name: 'cockroach',
    create: (namespace) =>
      cockroachSync({
        connectionString: postgres?.url ?? '',
        namespace,
        maxConnections: 4,
        pollInterval: 20,
      }),
  })
})
