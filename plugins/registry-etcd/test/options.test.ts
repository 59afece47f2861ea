import { type EtcdRegistryOptions, etcdRegistry } from '@micro/plugin-registry-etcd'
import { describe, expect, test } from 'vitest'

describe('options', () => {
  test.each<[string, unknown]>([
    ['prefix', { prefix: 'a' }],
    ['hosts', { hosts: 'etcd' }],
    ['namespace', { namespace: '' }],
    ['namespace', { namespace: '/micro' }],
    ['namespace', { namespace: 'a//b' }],
    ['namespace', { namespace: 'a b' }],
    ['layout', { layout: 'java' }],
    ['relistInterval', { relistInterval: 1 }],
    ['lossGrace', { lossGrace: -1 }],
    ['maxRecordSize', { maxRecordSize: 0.5 }],
    ['onInvalid', { onInvalid: true }],
  ])('%s is refused by name: %o', (name, options) => {
    expect(() => etcdRegistry(options as EtcdRegistryOptions)).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        detail: expect.stringMatching(new RegExp(`^etcdRegistry option ${name} `)),
      }),
    )
  })
})
