import { type Faulty, faulty, type Injection, scripted } from '@micro/conformance/faults'
import { memoryStore, type Store } from '@micro/core/store'

/** A store with `a`, `b` and `c`, and a faulty view of it. */
export async function storeWith(
  ...script: Injection[]
): Promise<{ real: Store; store: Faulty<Store> }> {
  const real = memoryStore()
  for (const key of ['a', 'b', 'c']) await real.write(key, bytes(key))
  return { real, store: faulty(real, scripted(script)) }
}

export async function keysOf(store: Store, signal?: AbortSignal): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list({ signal })) keys.push(key)
  return keys
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
