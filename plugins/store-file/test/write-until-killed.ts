/** Writes, many at once, and says of each write that was acknowledged: which round, and which version. */
import { writeSync } from 'node:fs'
import { fileStore } from '@micro/plugin-store-file'
import { keyOf, payloadOf } from './history.ts'

const [directory = '', writer = '', first = '0', checkpointBytes = '65536'] = process.argv.slice(2)
const store = fileStore({ directory, checkpointBytes: Number(checkpointBytes) })
let round = Number(first)

const work = async (): Promise<void> => {
  for (;;) {
    const mine = round++
    const key = keyOf(writer, mine)
    const version = await store.write(key, payloadOf(key, mine))
    // At once, and not through a stream, which would keep it: what has been said survives the kill.
    writeSync(1, `${mine} ${version}\n`)
  }
}
// Fewer than there are keys, so that the writes of one key come one after the other.
await Promise.all(Array.from({ length: 16 }, work))
