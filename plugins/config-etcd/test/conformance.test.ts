import { configConformance } from '@micro/conformance/config'
import { etcdSource } from '@micro/plugin-config-etcd'
import { etcdBinary, startEtcd } from '@micro/test-services'
import { afterAll, describe } from 'vitest'

const binary = etcdBinary()
const etcd = binary === undefined ? undefined : await startEtcd(binary)
afterAll(() => etcd?.stop())
const hosts = etcd?.address ?? ''

describe.skipIf(etcd === undefined)('a real etcd', () => {
  configConformance({
    name: 'etcd, texts below a prefix',
    create: (scope) => etcdSource({ hosts, prefix: `/texts/${scope}` }),
    async write(scope, values) {
      await using source = etcdSource({ hosts, prefix: `/texts/${scope}` })
      await source.write('', values)
    },
    stringsOnly: true,
  })
  configConformance({
    name: 'etcd, JSON below a prefix',
    create: (scope) => etcdSource({ hosts, prefix: `/json/${scope}`, values: 'json' }),
    async write(scope, values) {
      await using source = etcdSource({ hosts, prefix: `/json/${scope}`, values: 'json' })
      await source.write('', values)
    },
  })
  configConformance({
    name: 'etcd, one document',
    // A scope that nobody has written to says nothing.
    create: (scope) => etcdSource({ hosts, key: `/documents/${scope}.yaml`, optional: true }),
    write: (scope, values) => etcd?.put(`/documents/${scope}.yaml`, JSON.stringify(values)),
  })
})
