import { type EtcdStoreOptions, etcdStore } from '@micro/plugin-store-etcd'
import { describe, expect, test } from 'vitest'

describe('options', () => {
  test.each<[string, unknown]>([
    ['prefix', { prefix: 'a' }],
    ['hosts', { hosts: 'etcd' }],
    ['namespace', { namespace: '/a' }],
    ['watchLimit', { watchLimit: 0 }],
    ['watchInterval', { watchInterval: 10 }],
  ])('%s is refused by name: %o', (name, options) => {
    expect(() => etcdStore(options as EtcdStoreOptions)).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        detail: expect.stringMatching(new RegExp(`^etcdStore option ${name} `)),
      }),
    )
  })
})
