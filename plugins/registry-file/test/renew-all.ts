/** A process that registers `node-0` to `node-<count - 1>` over and over, until it is killed. */
import { fileRegistry } from '@micro/plugin-registry-file'
import { makeNode } from './make-node.ts'

const [directory = '', count = ''] = process.argv.slice(2)
const registry = fileRegistry({ directory })
const ids = Array.from({ length: Number(count) }, (_, index) => `node-${index}`)
const registerAll = async (): Promise<void> => {
  for (let at = 0; at < ids.length; at += 8) {
    const some = ids.slice(at, at + 8)
    await Promise.all(some.map((id) => registry.register(makeNode(id), { ttl: 60_000 })))
  }
}
await registerAll()
process.stdout.write('registered\n')
for (;;) await registerAll()
