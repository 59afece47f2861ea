/** A process that holds a lock and observes, and has nothing else to do: it is to end by itself. */
import { fileSync } from '@micro/plugin-sync-file'

const [directory = ''] = process.argv.slice(2)
const sync = fileSync({ directory })
await sync.lock('a', { ttl: 60_000 })
await sync.leader('a').observe()
