import { natsBroker } from '@micro/plugin-broker-nats'

/** Takes a message, says so, and never settles it. */
const [servers = '', namespace = ''] = process.argv.slice(2)
const broker = natsBroker({ servers, namespace, ackWait: 600, lanes: 4 })
await broker.subscribe(
  'a',
  (_lane, batch) => {
    console.log(batch.map(({ body }) => new TextDecoder().decode(body)).join())
    return new Promise(() => undefined)
  },
  { group: 'g' },
)
