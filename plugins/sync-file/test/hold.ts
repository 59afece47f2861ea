/** Takes a lock and leads, says with which tokens, and keeps both until it is killed. */
import { fileSync } from '@micro/plugin-sync-file'

const [directory = '', ttl = ''] = process.argv.slice(2)
const sync = fileSync({ directory })
const lock = await sync.lock('a', { ttl: Number(ttl) })
const leadership = await sync.leader('a').campaign({ id: 'child', ttl: Number(ttl) })
process.send?.([lock.token, leadership.token])
setInterval(() => undefined, 10_000)
