import { syncConformance } from '@micro/conformance/sync'
import { etcdSync } from '@micro/plugin-sync-etcd'
import { etcdBinary, startEtcd } from '@micro/test-services'
import { afterAll, describe } from 'vitest'

const binary = etcdBinary()
const etcd = binary === undefined ? undefined : await startEtcd(binary)
afterAll(() => etcd?.stop())

describe.skipIf(etcd === undefined)('a real etcd', () => {
  syncConformance({
    name: 'etcd',
    create: (namespace) => etcdSync({ hosts: etcd?.address ?? '', namespace }),
  })
})
