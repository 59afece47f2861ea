import type { Auth } from '@micro/core/auth'
import { MemoryAuthBackend, memoryAuth } from '@micro/core/auth'

/** Memory auths, those of one scope over one backend. */
export function memoryAuths(): (scope: string) => Auth {
  const backends = new Map<string, MemoryAuthBackend>()
  return (scope) => {
    const backend = backends.get(scope) ?? new MemoryAuthBackend()
    backends.set(scope, backend)
    return memoryAuth({ backend })
  }
}
