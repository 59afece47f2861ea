/** A process that registers a node, says so, and stays until it is killed. */
import { fileRegistry } from '@micro/plugin-registry-file'
import { makeNode } from './make-node.ts'

const [directory = '', id = '', ttl = ''] = process.argv.slice(2)
const registry = fileRegistry({ directory })
await registry.register(makeNode(id), { ttl: Number(ttl) })
process.stdout.write('registered\n')
setInterval(() => undefined, 10_000)
