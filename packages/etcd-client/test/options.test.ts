import { type EtcdOptions, settleEtcd } from '@micro/etcd-client'
import { describe, expect, test } from 'vitest'

const pem = '-----BEGIN CERTIFICATE-----'

describe('options', () => {
  test.each<[string, unknown]>([
    ['host', { host: 'http://etcd:2379' }],
    ['hosts', { hosts: [] }],
    ['hosts', { hosts: 'etcd:2379' }],
    ['hosts', { hosts: 'tcp://etcd:2379' }],
    ['hosts', { hosts: 'http://user:secret@etcd:2379' }],
    ['hosts', { hosts: 'http://etcd:2379/path' }],
    ['hosts', { hosts: ['http://a:1', 'https://b:1'] }],
    ['hosts', { hosts: [7] }],
    ['tls', { tls: { ca: pem } }],
    ['tls.ca', { hosts: 'https://etcd', tls: { ca: '/etc/ca.pem' } }],
    ['tls.cert', { hosts: 'https://etcd', tls: { key: pem } }],
    ['tls.key', { hosts: 'https://etcd', tls: { cert: pem } }],
    ['tls.pfx', { hosts: 'https://etcd', tls: { pfx: pem } }],
    ['user', { password: 'secret' }],
    ['password', { user: 'root' }],
    ['password', { user: 'root', password: '' }],
    ['timeout', { timeout: 0 }],
    ['timeout', { timeout: '5s' }],
    ['maxMessageSize', { maxMessageSize: 1 }],
    ['client', { client: {} }],
    ['hosts', { hosts: 'http://etcd', client: { kv: {}, leaseClient: {}, watchClient: {} } }],
  ])('%s is refused by name: %o', (name, options) => {
    expect(() => settleEtcd('etcdThing', options as EtcdOptions, [])).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        detail: expect.stringMatching(new RegExp(`^etcdThing option ${name.replace('.', '\\.')} `)),
      }),
    )
    expect(() => settleEtcd('etcdThing', options as EtcdOptions, [])).not.toThrow(/secret/)
  })

  test('defaults', () => {
    expect(settleEtcd('etcdThing', {}, [])).toMatchObject({
      hosts: ['http://127.0.0.1:2379'],
      timeout: 5_000,
      maxMessageSize: 16_777_216,
    })
  })
})
