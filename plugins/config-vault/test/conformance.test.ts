import { configConformance } from '@micro/conformance/config'
import { vaultSource } from '@micro/plugin-config-vault'
import { startVault, vaultBinary } from '@micro/test-services'
import { afterAll, describe } from 'vitest'

const binary = vaultBinary()
const vault = binary === undefined ? undefined : await startVault(binary)
afterAll(() => vault?.stop())
const written = new Set<string>()

describe.skipIf(vault === undefined)('a real Vault', () => {
  configConformance({
    name: 'vault',
    async create(scope) {
      // A scope that nobody has written to says nothing.
      if (!written.has(scope)) await vault?.put(scope, {})
      written.add(scope)
      return vaultSource({
        address: vault?.address ?? '',
        path: scope,
        auth: { token: vault?.rootToken ?? '' },
        interval: 20,
      })
    },
    async write(scope, values) {
      written.add(scope)
      await vault?.put(scope, values)
    },
  })
})
