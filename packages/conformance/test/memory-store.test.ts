import { storeConformance } from '@micro/conformance/store'
import { memoryStore, namespacedStore, type Store } from '@micro/core/store'
import { storeBackends } from './support/store-backends.ts'

const backendOf = storeBackends()

storeConformance({
  name: 'memory',
  create: (scope) => memoryStore({ backend: backendOf(scope) }),
})

// A store within a store is a store. Here each instance closes the one below with itself.
storeConformance({
  name: 'memory, by namespace',
  create(scope): Store {
    const below = memoryStore({ backend: backendOf('all') })
    const close: Store['close'] = (options) => below.close(options)
    return {
      ...namespacedStore({ store: below, namespace: scope }),
      close,
      [Symbol.asyncDispose]: close,
    }
  },
})
