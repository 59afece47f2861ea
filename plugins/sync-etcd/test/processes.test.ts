import { join } from 'node:path'
import { proveProcessExclusion } from '@micro/conformance/sync'
import { etcdBinary, startEtcd } from '@micro/test-services'
import { describe, test } from 'vitest'
import { afterwards, scale } from './support.ts'

const binary = etcdBinary()
const kills = Math.max(3, Math.round(100 * scale))

describe.skipIf(binary === undefined)('several processes on a real etcd', () => {
  test(`exclude each other, though ${kills} are killed where they stand`, {
    timeout: 600_000,
  }, async () => {
    const etcd = await startEtcd(binary ?? '')
    afterwards(() => etcd.stop())
    const script = join(import.meta.dirname, 'hold-and-log.ts')
    await proveProcessExclusion({ script, parameters: [etcd.address], kills })
  })
})
