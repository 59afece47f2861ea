/** Adds to a count by compare-and-swap, and tells what it sees of another's key. */
import { MicroError } from '@micro/core/errors'
import { cockroachStore } from '@micro/plugin-store-cockroach'

const [, , connectionString = '', namespace = '', times = '0'] = process.argv
const store = cockroachStore({ connectionString, namespace, pollInterval: 20 })
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes)

const watcher = await store.watch('to-child/')
// A watch does not keep a process running.
process.on('message', () => undefined)
process.send?.('ready')
for (let left = Number(times); left > 0; ) {
  const found = await store.read('count')
  const next = bytesOf(String(Number(textOf(found?.value) || '0') + 1))
  try {
    await store.write(
      'count',
      next,
      found === undefined ? { ifAbsent: true } : { ifVersion: found.version },
    )
    left -= 1
  } catch (error) {
    if (!MicroError.is(error, 'aborted') && !MicroError.is(error, 'already_exists')) throw error
  }
}
for await (const event of watcher) {
  if (event.type !== 'put') continue
  await store.write('from-child/a', event.record.value)
  break
}
await store.close()
process.disconnect?.()
