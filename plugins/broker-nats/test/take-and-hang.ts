import { takeAndHang } from '@micro/broker-suite/process'
import { natsBroker } from '@micro/plugin-broker-nats'

const [port = '', namespace = ''] = process.argv.slice(2)
const servers = `nats://127.0.0.1:${port}`
await takeAndHang(natsBroker({ servers, namespace, ackWait: 600, lanes: 4 }))
