import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { registryConformance } from '@micro/conformance/registry'
import { fileRegistry } from '@micro/plugin-registry-file'
import { afterAll } from 'vitest'

const root = await mkdtemp(join(tmpdir(), 'micro-registry-'))
afterAll(() => rm(root, { recursive: true, force: true }))

registryConformance({
  name: 'file',
  create: (scope) => fileRegistry({ directory: join(root, scope) }),
})
