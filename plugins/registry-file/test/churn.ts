/** A process that registers and withdraws nodes as fast as it can, and leaves its last ones. */
import { fileRegistry } from '@micro/plugin-registry-file'
import { makeNode } from './make-node.ts'

const [directory = '', prefix = '', rounds = ''] = process.argv.slice(2)
await using registry = fileRegistry({ directory })
for (let round = 0; round < Number(rounds); round++) {
  const node = makeNode(`${prefix}-${round % 5}`)
  await registry.register({ ...node, weight: round + 1 }, { ttl: 60_000 })
  if (round % 3 === 0) await registry.deregister(node)
}
await registry.register({ ...makeNode(`${prefix}-last`), weight: 7 }, { ttl: 60_000 })
