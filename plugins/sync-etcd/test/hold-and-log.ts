/** Takes a lock again and again, and writes down when it came and went. Is killed at any moment. */
import { appendFileSync } from 'node:fs'
import { etcdSync } from '@micro/plugin-sync-etcd'

const [, , address = '', file = ''] = process.argv
const sync = etcdSync({ hosts: address, namespace: 'processes' })

for (;;) {
  const lock = await sync.lock('a', { ttl: 1_000 })
  appendFileSync(file, `enter ${process.pid} ${lock.token}\n`)
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 10))
  if (!lock.lost.aborted) appendFileSync(file, `leave ${process.pid}\n`)
  await lock.release()
}
