/** Adds to counters by compare-and-swap, and then says that it is done. */
import { MicroError } from '@micro/core/errors'
import { fileStore } from '@micro/plugin-store-file'

const [directory = '', times = ''] = process.argv.slice(2)
await using store = fileStore({ directory })

async function add(key: string): Promise<void> {
  for (;;) {
    const found = await store.read(key)
    const count = Number(new TextDecoder().decode(found?.value ?? new Uint8Array()))
    const next = new TextEncoder().encode(String(count + 1))
    const condition = found === undefined ? { ifAbsent: true } : { ifVersion: found.version }
    try {
      await store.write(key, next, condition)
      return
    } catch (error) {
      if (!MicroError.is(error, 'aborted') && !MicroError.is(error, 'already_exists')) throw error
    }
  }
}
for (let round = 0; round < Number(times); round++) {
  await Promise.all([add('count'), add(`n${round % 7}`)])
  if (round % 5 === 0) await store.delete(`n${(round + 3) % 7}`)
}
