import { storeConformance } from '@micro/conformance/store'
import { etcdStore } from '@micro/plugin-store-etcd'
import { etcdBinary, startEtcd } from '@micro/test-services'
import { afterAll, describe } from 'vitest'

const binary = etcdBinary()
const etcd = binary === undefined ? undefined : await startEtcd(binary)
afterAll(() => etcd?.stop())

describe.skipIf(etcd === undefined)('a real etcd', () => {
  storeConformance({
    name: 'etcd',
    create: (namespace) => etcdStore({ hosts: etcd?.address ?? '', namespace }),
  })
})
