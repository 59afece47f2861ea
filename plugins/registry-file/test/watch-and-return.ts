/** A process that has nothing left to do but to watch, and so ends. */
import { fileRegistry } from '@micro/plugin-registry-file'
import { makeNode } from './make-node.ts'

const [directory = ''] = process.argv.slice(2)
const registry = fileRegistry({ directory })
await registry.register(makeNode('a'), { ttl: 60_000 })
const watcher = await registry.watch()
const first = await watcher.next()
// Waits for an event that does not come, as a router would.
void watcher.next()
process.stdout.write(`${first.value?.type}\n`)
