import { brokerConformance } from '@micro/conformance/broker'
import { redisBroker } from '@micro/plugin-broker-redis'
import { redisBinary, startRedis, startTcpProxy, type TcpProxy } from '@micro/test-services'
import { afterAll, describe } from 'vitest'

const binary = redisBinary()
const redis = binary === undefined ? undefined : await startRedis(binary)
const proxies = new Map<object, TcpProxy>()
afterAll(async () => {
  for (const proxy of proxies.values()) await proxy.stop()
  await redis?.stop()
})

describe.skipIf(redis === undefined)('a real Redis', () => {
  brokerConformance({
    name: 'redis',
    async create(namespace) {
      const proxy = await startTcpProxy(redis?.port ?? 0)
      const broker = redisBroker({
        url: `redis://127.0.0.1:${proxy.port}`,
        namespace,
        leaseTtl: 600,
        timeout: 2_000,
      })
      proxies.set(broker, proxy)
      return broker
    },
    // Nothing gets through to Redis any more, and nothing of what Redis says.
    crash: (broker) => proxies.get(broker)?.stop(),
  })
})
