/** Writes records and pairs of records, and tells each on standard output once it is there. Is killed at any moment. */
import { writeSync } from 'node:fs'
import { cockroachStore } from '@micro/plugin-store-cockroach'

const [, , connectionString = '', namespace = '', name = ''] = process.argv
const store = cockroachStore({ connectionString, namespace, maxConnections: 4, migrate: false })
const bytesOf = (n: number): Uint8Array => new TextEncoder().encode(String(n))

async function writeOn(lane: number): Promise<never> {
  for (let n = 1; ; n++) {
    const key = `${name}/${lane}/${n}`
    if (n % 2 === 0) await store.write(key, bytesOf(n), { ifAbsent: true })
    else {
      await store.commit([
        { type: 'write', key, value: bytesOf(n), ifAbsent: true },
        { type: 'write', key: `${key}/twin`, value: bytesOf(n), ifAbsent: true },
      ])
    }
    writeSync(1, `${key}\n`)
  }
}
await Promise.all([1, 2, 3, 4].map(writeOn))
