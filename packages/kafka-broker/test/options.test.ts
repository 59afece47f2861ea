import { type KafkaOptions, settleKafka } from '@micro/kafka-broker'
import { expect, test } from 'vitest'

const brokers = 'localhost:9092'
const wrong: readonly (readonly [name: string, options: Record<string, unknown>])[] = [
  ['brokers', { brokers: [] }],
  ['brokers', { brokers: undefined }],
  ['brokers', { brokers: 'kafka' }],
  ['brokers', { brokers: 'http://kafka:9092' }],
  ['brokers', { brokers: ['kafka:9092', 'kafka:99999'] }],
  ['bootstrap', { bootstrap: brokers }],
  ['clientId', { clientId: 'a b' }],
  ['namespace', { namespace: 'a/b' }],
  ['namespace', { namespace: 5 }],
  ['acks', { acks: 'none' }],
  ['acks', { acks: -1 }],
  ['idempotence', { acks: 'leader', idempotence: true }],
  ['idempotence', { idempotence: 'yes' }],
  ['compression', { compression: 'zip' }],
  ['groupId', { groupId: 'mine' }],
  ['sasl.mechanism', { sasl: { mechanism: 'gssapi', username: 'u', password: 'p' } }],
  ['sasl.password', { sasl: { mechanism: 'plain', username: 'u', password: '' } }],
  ['sasl.user', { sasl: { mechanism: 'plain', user: 'u', password: 'p' } }],
  ['sasl.token', { sasl: { mechanism: 'oauthbearer', token: 'abc' } }],
  ['tls.ca', { tls: { ca: '/etc/ca.pem' } }],
  ['tls.key', { tls: { cert: '-----BEGIN CERTIFICATE-----' } }],
  ['tls.passphrase', { tls: { passphrase: 'secret' } }],
  ['topics.replicas', { topics: { replicas: 3 } }],
  ['topics.partitions', { topics: { partitions: 0 } }],
  ['timeout', { timeout: 0 }],
  ['requestTimeout', { requestTimeout: 1.5 }],
  ['maxMessageSize', { maxMessageSize: 0 }],
  ['maxQueued', { maxQueued: 0 }],
  ['sessionTimeout', { sessionTimeout: 10 }],
  ['heartbeatInterval', { heartbeatInterval: 30_000 }],
  ['rebalanceTimeout', { rebalanceTimeout: 0 }],
  ['commitInterval', { commitInterval: -1 }],
  ['maxWait', { maxWait: 0 }],
  ['prefetch', { prefetch: 0 }],
  ['lagInterval', { lagInterval: 0 }],
]

test.each(wrong)('option %s is refused: %o', (name, options) => {
  const make = () => settleKafka({ brokers, ...options } as KafkaOptions)
  expect(make).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  expect(make).toThrow(new RegExp(`option ${name.replace('.', '\\.')}:`))
})

test('no secret is shown', () => {
  const sasl = { mechanism: 'plain', username: 'u', password: 'hunter2', realm: 'x' }
  const make = () => settleKafka({ brokers, sasl } as KafkaOptions)
  expect(make).toThrow(/sasl\.realm/)
  expect(make).not.toThrow(/hunter2/)
})

test('a plugin may have functions of its own', () => {
  const make = (tunnel: unknown) =>
    settleKafka({ brokers, tunnel } as KafkaOptions & { tunnel: unknown }, ['tunnel'])
  expect(make(() => undefined)).toMatchObject({ clientId: 'micro' })
  expect(() => make('tunnel')).toThrow(/option tunnel:/)
})
