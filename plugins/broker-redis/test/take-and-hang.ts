import { redisBroker } from '@micro/plugin-broker-redis'

/** Takes a message, says so, and never settles it. */
const [url = '', namespace = ''] = process.argv.slice(2)
const broker = redisBroker({ url, namespace, leaseTtl: 600 })
await broker.subscribe(
  'a',
  (_lane, batch) => {
    console.log(batch.map(({ body }) => new TextDecoder().decode(body)).join())
    return new Promise(() => undefined)
  },
  { group: 'g' },
)
