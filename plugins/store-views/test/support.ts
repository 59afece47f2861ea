import type { Store, StoreRecord } from '@micro/core/store'

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function textOf(record: StoreRecord | undefined): string | undefined {
  return record === undefined ? undefined : new TextDecoder().decode(record.value)
}

export async function textAt(store: Store, key: string): Promise<string | undefined> {
  return textOf(await store.read(key))
}

/** A store whose reads are counted, and wait at a gate while that is closed. */
export interface Counted {
  readonly store: Store
  readonly reads: string[]
  /** Until the result is called, so many reads from now on have their answer and do not give it. */
  hold(most?: number): () => void
}

export function counted(below: Store): Counted {
  const reads: string[] = []
  let gate: Promise<void> | undefined
  let left = 0
  return {
    reads,
    store: {
      ...below,
      async read(key, options) {
        reads.push(key)
        const held = left-- > 0 ? gate : undefined
        const record = await below.read(key, options)
        await held
        return record
      },
    },
    hold(most = Number.POSITIVE_INFINITY) {
      left = most
      const { promise, resolve } = Promise.withResolvers<void>()
      gate = promise
      return () => {
        left = 0
        resolve()
      }
    },
  }
}

/** Lets all go on that can without time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
}
