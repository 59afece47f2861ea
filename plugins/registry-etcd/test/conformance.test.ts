import { registryConformance } from '@micro/conformance/registry'
import { etcdRegistry } from '@micro/plugin-registry-etcd'
import { etcdBinary, startEtcd } from '@micro/test-services'
import { afterAll, describe } from 'vitest'

const binary = etcdBinary()
const etcd = binary === undefined ? undefined : await startEtcd(binary)
afterAll(() => etcd?.stop())

describe.skipIf(etcd === undefined)('a real etcd', () => {
  registryConformance({
    name: 'etcd',
    create: (namespace) => etcdRegistry({ hosts: etcd?.address ?? '', namespace }),
  })
})
