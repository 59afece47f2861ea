/** Takes a lock again and again, and writes down when it came and went. Is killed at any moment. */
import { appendFileSync } from 'node:fs'
import { cockroachSync } from '@micro/plugin-sync-cockroach'

const [, , connectionString = '', file = ''] = process.argv
const sync = cockroachSync({ connectionString, namespace: 'processes', pollInterval: 20 })

for (;;) {
  const lock = await sync.lock('a', { ttl: 500 })
  appendFileSync(file, `enter ${process.pid} ${lock.token}\n`)
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 10))
  if (!lock.lost.aborted) appendFileSync(file, `leave ${process.pid}\n`)
  await lock.release()
}
