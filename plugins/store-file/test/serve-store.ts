/** A store in a process of its own, that is used by messages: `[id, method, arguments]`. */
import { join } from 'node:path'
import { MicroError } from '@micro/core/errors'
import { fileStore } from '@micro/plugin-store-file'

const [root = '', scope = ''] = process.argv.slice(2)
const store = fileStore({ directory: join(root, scope) })

process.on('message', (message: [number, 'read' | 'write' | 'delete', [string, Uint8Array]]) => {
  const [id, method, parameters] = message
  answer(id, method, parameters).catch(() => process.exit(1))
})

async function answer(
  id: number,
  method: 'read' | 'write' | 'delete',
  parameters: [string, Uint8Array],
): Promise<void> {
  try {
    process.send?.([id, undefined, await store[method](...parameters)])
  } catch (error) {
    const { code, detail } = error as MicroError
    process.send?.([
      id,
      MicroError.is(error) ? { code, detail } : { code: 'internal', detail: `${error}` },
    ])
  }
}
