import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

test('the quickstart runs as it stands, and ends by itself', async () => {
  const script = join(import.meta.dirname, '../src/greeter.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [script])
  expect(stdout).toBe('Hello Ada\n3\n2\n1\n')
})
