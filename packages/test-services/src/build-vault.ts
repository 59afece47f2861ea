/** Builds the Vault to test with, once for each machine: a few minutes where Go has none of it yet. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { vaultSource, vaultTarget } from './vault.ts'

const target = vaultTarget()
if (!existsSync(target)) {
  mkdirSync(dirname(target), { recursive: true })
  const started = performance.now()
  console.log('Building Vault for tests; the first time takes minutes.')
  const { status, error } = spawnSync(
    'go',
    ['build', '-trimpath', '-ldflags', '-s -w', '-o', target, '.'],
    { cwd: vaultSource, stdio: 'inherit' },
  )
  if (error !== undefined) console.error(`go: ${error.message}; it needs Go 1.25 or later`)
  if (status !== 0) process.exit(1)
  console.log(`Built in ${Math.round((performance.now() - started) / 1_000)} s.`)
}
