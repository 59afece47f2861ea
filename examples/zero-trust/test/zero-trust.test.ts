import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

test('the fleet does its work, and the thief gets nothing', () => {
  const script = join(import.meta.dirname, '../src/zero-trust.ts')
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.not.stringContaining('Error') })
  expect(stdout).toContain('Calls that the thief got:\n    0')
  expect(stdout).toContain('All as it should be.')
}, 60_000)
