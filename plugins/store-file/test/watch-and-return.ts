/** A process that has nothing to do but watch: it is to end by itself. */
import { fileStore } from '@micro/plugin-store-file'

const [directory = ''] = process.argv.slice(2)
const store = fileStore({ directory })
await store.watch?.('')
await store.write('a', new Uint8Array([1]), { ttl: 60_000 })
