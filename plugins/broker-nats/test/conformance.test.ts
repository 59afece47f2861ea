import { brokerConformance } from '@micro/conformance/broker'
import { type NatsBrokerOptions, natsBroker } from '@micro/plugin-broker-nats'
import { natsBinary, startNats, startTcpProxy, type TcpProxy } from '@micro/test-services'
import { afterAll, describe } from 'vitest'

const binary = natsBinary()
const nats = binary === undefined ? undefined : await startNats(binary)
const proxies = new Map<object, TcpProxy>()
afterAll(async () => {
  for (const proxy of proxies.values()) await proxy.stop()
  await nats?.stop()
})

const kinds: [string, NatsBrokerOptions][] = [
  ['jetstream', {}],
  ['jetstream, unordered', { ordered: false }],
  ['core', { mode: 'core' }],
]

describe.skipIf(nats === undefined).each(kinds)('a real NATS: %s', (name, options) => {
  brokerConformance({
    name: `nats, ${name}`,
    async create(namespace) {
      const proxy = await startTcpProxy(nats?.port ?? 0)
      const broker = natsBroker({
        servers: `nats://127.0.0.1:${proxy.port}`,
        namespace,
        ackWait: 600,
        timeout: 2_000,
        lanes: 4,
        ...options,
      })
      proxies.set(broker, proxy)
      return broker
    },
    // Nothing gets through to NATS any more, and nothing of what NATS says.
    crash: (broker) => proxies.get(broker)?.stop(),
  })
})
