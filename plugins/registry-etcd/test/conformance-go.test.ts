import { runSuite } from '@micro/conformance/kit'
import { registryTraits } from '@micro/conformance/registry'
import { etcdRegistry } from '@micro/plugin-registry-etcd'
import { etcdBinary, startEtcd } from '@micro/test-services'
import { afterAll, describe } from 'vitest'

const binary = etcdBinary()
const etcd = binary === undefined ? undefined : await startEtcd(binary)
afterAll(() => etcd?.stop())

describe.skipIf(etcd === undefined)('a real etcd', () => {
  // A ttl is the same work whatever the layout, and takes its time.
  const traits = registryTraits.filter(({ name }) => name !== 'ttl')
  runSuite('registry', traits, {
    name: 'etcd, layout of Go',
    create: (namespace) => etcdRegistry({ hosts: etcd?.address ?? '', namespace, layout: 'go' }),
  })
})
