import { randomBytes } from 'node:crypto'
import { storeConformance } from '@micro/conformance/store'
import { MemoryStoreBackend, memoryStore } from '@micro/core/store'
import { cachedStore, encryptedStore } from '@micro/plugin-store-views'

const backends = new Map<string, MemoryStoreBackend>()
const below = (scope: string): ReturnType<typeof memoryStore> => {
  const backend = backends.get(scope) ?? new MemoryStoreBackend()
  backends.set(scope, backend)
  return memoryStore({ backend })
}
const keys = [{ id: 'test', key: randomBytes(32) }]

storeConformance({
  name: 'memory, cached',
  create: (scope) => cachedStore({ store: below(`cached-${scope}`) }),
})

storeConformance({
  name: 'memory, encrypted',
  create: (scope) => encryptedStore({ store: below(`encrypted-${scope}`), keys }),
})

storeConformance({
  name: 'memory, encrypted and cached',
  create: (scope) =>
    cachedStore({ store: encryptedStore({ store: below(`both-${scope}`), keys }) }),
})
