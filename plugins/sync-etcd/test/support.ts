import type { Sync } from '@micro/core/sync'
import { type EtcdSyncOptions, etcdSync } from '@micro/plugin-sync-etcd'
import { afterEach } from 'vitest'

/** Full length of outages at 1. */
export const scale = Number(process.env['MICRO_SCALE'] ?? '0.01')

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Runs after the test, the last one first. */
export function afterwards(work: () => unknown): void {
  closing.push(work)
}

/** Closed after the test. */
export function open(options: EtcdSyncOptions): Sync {
  const sync = etcdSync(options)
  afterwards(() => sync.close())
  return sync
}

export function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(signal.reason)
    signal.addEventListener('abort', () => resolve(signal.reason), { once: true })
  })
}

export function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
