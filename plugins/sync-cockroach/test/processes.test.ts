import { join } from 'node:path'
import { proveProcessExclusion } from '@micro/conformance/sync'
import { describe, test } from 'vitest'
import { binaries, scale, start } from './support.ts'

const kills = Math.max(4, Math.round(100 * scale))

describe.skipIf(binaries === undefined)('several processes on a real PostgreSQL', () => {
  test(`exclude each other, though ${kills} are killed where they stand`, {
    timeout: 600_000,
  }, async () => {
    const postgres = await start()
    const script = join(import.meta.dirname, 'hold-and-log.ts')
    await proveProcessExclusion({ script, parameters: [postgres.url], kills })
  })
})
