import { takeAndHang } from '@micro/broker-suite/process'
import { redisBroker } from '@micro/plugin-broker-redis'

const [port = '', namespace = ''] = process.argv.slice(2)
await takeAndHang(redisBroker({ url: `redis://127.0.0.1:${port}`, namespace, leaseTtl: 600 }))
