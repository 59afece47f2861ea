import {
  type EtcdConfigSource,
  type EtcdSourceOptions,
  etcdSource,
} from '@micro/plugin-config-etcd'
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
export function open(options: EtcdSourceOptions): EtcdConfigSource {
  const source = etcdSource(options)
  afterwards(() => source.close())
  return source
}

export function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
