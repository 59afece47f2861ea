import type { Store, StoreListOptions } from '@micro/core/store'

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes)
}

export async function readText(store: Store, key: string): Promise<string | undefined> {
  return textOf((await store.read(key))?.value)
}

export async function keysOf(store: Store, options?: StoreListOptions): Promise<string[]> {
  return (await Array.fromAsync(store.list(options))).map((record) => record.key)
}

export async function writeAll(store: Store, keys: Iterable<string>): Promise<void> {
  for (const key of keys) await store.write(key, bytesOf(key))
}
