import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storeConformance } from '@micro/conformance/store'
import { fileStore } from '@micro/plugin-store-file'
import { afterAll } from 'vitest'

const root = await mkdtemp(join(tmpdir(), 'micro-store-'))
afterAll(() => rm(root, { recursive: true, force: true }))

storeConformance({
  name: 'file',
  create: (scope) => fileStore({ directory: join(root, scope) }),
})
