/** Takes a lock again and again, and writes down when it came and went. Is killed at any moment. */
import { appendFileSync } from 'node:fs'
import { fileSync } from '@micro/plugin-sync-file'

const [directory = '', file = ''] = process.argv.slice(2)
const sync = fileSync({ directory })

for (;;) {
  const lock = await sync.lock('a', { ttl: 300 })
  appendFileSync(file, `enter ${process.pid} ${lock.token}\n`)
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 10))
  if (!lock.lost.aborted) appendFileSync(file, `leave ${process.pid}\n`)
  await lock.release()
}
