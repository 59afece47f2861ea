import { MemoryStoreBackend } from '@micro/core/store'

/** One backend for each scope, made when first asked for. */
export function storeBackends(): (scope: string) => MemoryStoreBackend {
  const backends = new Map<string, MemoryStoreBackend>()
  return (scope) => {
    const backend = backends.get(scope) ?? new MemoryStoreBackend()
    backends.set(scope, backend)
    return backend
  }
}
