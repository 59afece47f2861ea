import { type EtcdSyncOptions, etcdSync } from '@micro/plugin-sync-etcd'
import { describe, expect, test } from 'vitest'

describe('options', () => {
  test.each<[string, unknown]>([
    ['prefix', { prefix: 'a' }],
    ['hosts', { hosts: 'etcd' }],
    ['namespace', { namespace: 'a/' }],
  ])('%s is refused by name: %o', (name, options) => {
    expect(() => etcdSync(options as EtcdSyncOptions)).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        detail: expect.stringMatching(new RegExp(`^etcdSync option ${name} `)),
      }),
    )
  })
})
