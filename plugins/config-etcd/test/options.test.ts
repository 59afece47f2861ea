import { type EtcdSourceOptions, etcdSource } from '@micro/plugin-config-etcd'
import { describe, expect, test } from 'vitest'

const schema = { '~standard': { version: 1, vendor: 'test', validate: () => ({ value: 1 }) } }

describe('options', () => {
  test.each<[string, unknown]>([
    ['namespace', { prefix: 'a', namespace: 'b' }],
    ['hosts', { prefix: 'a', hosts: 'etcd' }],
    ['prefix', {}],
    ['prefix', { prefix: 'a', key: 'b' }],
    ['prefix', { prefix: '' }],
    ['prefix', { prefix: '/config/' }],
    ['prefix', { prefix: 'a//b' }],
    ['key', { key: 'a b' }],
    ['kind', { prefix: 'a', kind: 'json' }],
    ['kind', { key: 'a', kind: 'xml' }],
    ['optional', { prefix: 'a', optional: true }],
    ['optional', { key: 'a', optional: 'yes' }],
    ['values', { prefix: 'a', values: 'yaml' }],
    ['values', { key: 'a', values: 'json' }],
    ['schema', { key: 'a', schema }],
    ['schema', { prefix: 'a', values: 'json', schema }],
    ['maxKeys', { prefix: 'a', maxKeys: 0 }],
    ['maxKeys', { key: 'a', maxKeys: 10 }],
    ['interval', { prefix: 'a', interval: 1 }],
  ])('%s is refused by name: %o', (name, options) => {
    expect(() => etcdSource(options as EtcdSourceOptions)).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        detail: expect.stringMatching(new RegExp(`^etcdSource option ${name} `)),
      }),
    )
  })
})
