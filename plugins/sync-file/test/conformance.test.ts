import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { syncConformance } from '@micro/conformance/sync'
import { fileSync } from '@micro/plugin-sync-file'
import { afterAll } from 'vitest'

const root = await mkdtemp(join(tmpdir(), 'micro-sync-'))
afterAll(() => rm(root, { recursive: true, force: true }))

syncConformance({
  name: 'file',
  ttl: 500,
  create: (scope) => fileSync({ directory: join(root, scope) }),
})
