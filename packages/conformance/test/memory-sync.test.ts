import { syncConformance } from '@micro/conformance/sync'
import { MemorySyncBackend, memorySync } from '@micro/core/sync'

const backends = new Map<string, MemorySyncBackend>()

syncConformance({
  name: 'memory',
  ttl: 300,
  create(scope) {
    const backend = backends.get(scope) ?? new MemorySyncBackend()
    backends.set(scope, backend)
    return memorySync({ backend })
  },
})
