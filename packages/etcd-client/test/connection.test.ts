import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { MicroError } from '@micro/core/errors'
import {
  followRange,
  grantLease,
  keysBelow,
  oneKey,
  readPage,
  readRange,
  renewLease,
} from '@micro/etcd-client'
import {
  type Etcd,
  etcdBinary,
  makeAuthority,
  startEtcd,
  startEtcdCluster,
} from '@micro/test-services'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { connect, failureOf, inbox, put } from './support.ts'

const binary = etcdBinary()
const etcd = binary === undefined ? undefined : await startEtcd(binary)
const started: Etcd[] = []
afterAll(() => etcd?.stop())
afterEach(async () => {
  for (const one of started.splice(0)) await one.stop()
})

async function start(options?: Parameters<typeof startEtcd>[1]): Promise<Etcd> {
  const one = await startEtcd(binary ?? '', options)
  started.push(one)
  return one
}

/** A port that accepts connections and says nothing, as a machine that hangs. */
async function startMute(): Promise<{ address: string; stop(): void }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => sockets.add(socket.on('error', () => undefined)))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

const dead = 'http://127.0.0.1:9'

describe.skipIf(etcd === undefined)('a connection to a real etcd', () => {
  const address = etcd?.address ?? ''

  test('does no I/O before the first request, and none after close', async () => {
    const connection = connect({ hosts: dead })
    connection.close()
    expect(await failureOf(readPage(connection, oneKey('a')))).toMatchObject({
      code: 'failed_precondition',
      detail: 'test "etcd" is closed',
    })
  })

  test('a host that refuses is passed over at once, also for what may not be sent twice', async () => {
    const connection = connect({ hosts: [dead, address], timeout: 60_000 })
    await put(connection, 'hosts/refusing', 'x')
    expect(connection.host).toBe(address)
    const { entries } = await readRange(connection, oneKey('hosts/refusing'))
    expect(entries[0]?.value.toString()).toBe('x')
  })

  test('a host that hangs costs one timeout, for what may be sent twice', async () => {
    const mute = await startMute()
    const connection = connect({ hosts: [mute.address, address], timeout: 300 })
    await readRange(connection, keysBelow('hosts/'))
    expect(connection.host).toBe(address)
    mute.stop()
  })

  test('a write that a hanging host may have done is not sent again', async () => {
    const mute = await startMute()
    const connection = connect({ hosts: [mute.address, address], timeout: 300 })
    expect(await failureOf(put(connection, 'hosts/hanging'))).toMatchObject({
      code: 'unavailable',
      detail: `etcd at ${mute.address}: no answer within 300 ms`,
    })
    const { entries } = await readRange(connection, oneKey('hosts/hanging'))
    expect(entries).toEqual([])
    mute.stop()
  })

  test('when none answers, the error names the host and what is wrong', async () => {
    const error = await failureOf(readPage(connect({ hosts: dead }), oneKey('a')))
    expect(error).toMatchObject({ code: 'unavailable', processed: 'no' })
    expect(error.detail).toContain(dead)
    expect(error.detail).toContain('ECONNREFUSED')
  })

  test('an abort ends the wait with its reason, and nobody else’s', async () => {
    const mute = await startMute()
    const connection = connect({ hosts: mute.address, timeout: 500 })
    const controller = new AbortController()
    const reason = new Error('mine')
    const mine = readPage(connection, oneKey('a'), { signal: controller.signal }).catch((e) => e)
    const theirs = failureOf(readPage(connection, oneKey('a')))
    controller.abort(reason)
    expect(await mine).toBe(reason)
    expect((await theirs).code).toBe('unavailable')
    mute.stop()
  })

  test('a server that was down is used again soon after it is back', async () => {
    const own = await start()
    const connection = connect({ hosts: own.address })
    await put(connection, 'a', '1')
    await own.kill()
    expect((await failureOf(readPage(connection, oneKey('a')))).code).toBe('unavailable')
    await own.restart()
    // grpc-js alone would wait for up to two minutes.
    let attempts = 0
    for (;;) {
      const entries = await readPage(connection, oneKey('a')).catch(() => undefined)
      if (entries !== undefined) break
      if (++attempts > 100) throw new Error('it does not come back')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })

  test('what etcd refuses says how to mend it', async () => {
    const connection = connect({ hosts: address })
    for (const size of [1_600_000, 3_000_000]) {
      expect(await failureOf(put(connection, 'large', 'x'.repeat(size)))).toMatchObject({
        code: 'resource_exhausted',
        detail: expect.stringContaining('--max-request-bytes'),
      })
    }
    const operations = Array.from({ length: 129 }, (_, at) => ({
      request_put: { key: Buffer.from(`many/${at}`), value: Buffer.from('') },
    }))
    const many = connection.request((client, options) =>
      client.kv.txn({ success: operations }, options),
    )
    expect(await failureOf(many)).toMatchObject({
      code: 'resource_exhausted',
      detail: expect.stringContaining('--max-txn-ops'),
    })
  })

  test('records that do not fit into one answer are read in more of them, as of one moment', async () => {
    const connection = connect({ hosts: address, maxMessageSize: 2 ** 16 })
    for (let n = 0; n < 20; n++) {
      await put(connection, `pages/${String(n).padStart(2, '0')}`, 'x'.repeat(20_000))
    }
    const { entries } = await readRange(connection, keysBelow('pages/'))
    expect(entries.map(({ key }) => key)).toEqual(
      Array.from({ length: 20 }, (_, n) => `pages/${String(n).padStart(2, '0')}`),
    )
    await put(connect({ hosts: address }), 'page', 'x'.repeat(2 ** 17))
    expect(await failureOf(readRange(connection, oneKey('page')))).toMatchObject({
      code: 'resource_exhausted',
      detail: expect.stringContaining('option maxMessageSize'),
    })
  })

  test('a range has all that begins alike, and nothing else', async () => {
    const connection = connect({ hosts: address })
    for (const key of ['range/', 'range/a', 'range/a/b', 'range/ž', 'range0', 'range.', 'range']) {
      await put(connection, key)
    }
    const found = async (...range: Parameters<typeof keysBelow>): Promise<string[]> =>
      (await readRange(connection, keysBelow(...range))).entries.map(({ key }) => key)
    expect(await found('range/')).toEqual(['range/', 'range/a', 'range/a/b', 'range/ž'])
    expect(await found('range/', 'range/a')).toEqual(['range/a/b', 'range/ž'])
    expect(await found('range/', 'a')).toHaveLength(4)
    expect(await found('range/', 'z')).toEqual([])
    expect(await found('')).toEqual(expect.arrayContaining(['range', 'range.', 'range/', 'range0']))
  })
})

describe.skipIf(etcd === undefined)('authentication', () => {
  const password = 'not-to-be-seen'

  test('a user and a password; they outlive a restart', async () => {
    const own = await start()
    await own.enableAuth(password)
    const connection = connect({ hosts: own.address, user: 'root', password })
    await put(connection, 'a', '1')
    await own.restart()
    await put(connection, 'a', '2')
  })

  test('one login for all who find at once that they have no token, or a void one', async () => {
    const own = await start()
    await own.enableAuth(password)
    const logins = async () => (await own.requests()).get('Authenticate') ?? 0
    const connection = connect({ hosts: own.address, user: 'root', password })
    const many = () =>
      Promise.all(Array.from({ length: 50 }, () => readPage(connection, oneKey('a'))))
    const before = await logins()
    await many()
    expect(await logins()).toBe(before + 1)
    await own.voidTokens()
    const between = await logins()
    await many()
    await put(connection, 'a')
    expect(await logins()).toBe(between + 1)
  })

  test('a watch and a lease whose token becomes void go on', async () => {
    const own = await start()
    await own.enableAuth(password)
    const connection = connect({ hosts: own.address, user: 'root', password })
    const keys = inbox<string>()
    const followed = followRange(connection, {
      range: keysBelow('void/'),
      interval: 100,
      onReset: () => undefined,
      onPut: ({ key }) => keys.push(key),
      onDelete: () => undefined,
    })
    await followed.started()
    const lease = await grantLease(connection, 5_000)
    await own.voidTokens()
    await renewLease(connection, lease)
    await own.put('void/a', '1')
    await keys.until((key) => key === 'void/a')
    followed.stop()
  })

  test('rights that change while a token is in use', async () => {
    const own = await start()
    await own.request('auth/user/add', { name: 'reader', password })
    await own.request('auth/role/add', { name: 'reading' })
    await own.request('auth/user/grant', { user: 'reader', role: 'reading' })
    await own.enableAuth(password)
    const connection = connect({ hosts: own.address, user: 'reader', password })
    const denied = await failureOf(readPage(connection, oneKey('a')))
    expect(denied).toMatchObject({
      code: 'permission_denied',
      detail: expect.stringContaining('grant a role'),
    })
    await own.request('auth/role/grant', {
      name: 'reading',
      perm: { permType: 'READ', key: Buffer.from('a').toString('base64') },
    })
    await readPage(connection, oneKey('a'))
    expect((await failureOf(put(connection, 'a'))).code).toBe('permission_denied')
  })

  test('refusals name the options, and no error has the password', async () => {
    const own = await start()
    const early = connect({ hosts: own.address, user: 'root', password })
    expect(await failureOf(put(early, 'a'))).toMatchObject({
      code: 'failed_precondition',
      detail: expect.stringContaining('remove options user and password'),
    })
    await own.enableAuth(password)
    const wrong = connect({ hosts: own.address, user: 'root', password: `${password}!` })
    const error = await failureOf(put(wrong, 'a'))
    expect(error).toMatchObject({
      code: 'unauthenticated',
      detail: expect.stringContaining('check options user and password'),
    })
    expect(`${error.stack} ${String(error.cause)} ${JSON.stringify(error)}`).not.toContain(password)
    expect(await failureOf(put(connect({ hosts: own.address }), 'a'))).toMatchObject({
      code: 'unauthenticated',
      detail: expect.stringContaining('set options user and password'),
    })
  })
})

describe.skipIf(etcd === undefined)('a cluster without a leader', () => {
  test('what is asked meanwhile waits for one, and is done once', { timeout: 60_000 }, async () => {
    const cluster = await startEtcdCluster(binary ?? '', 3)
    const [one, two, three] = cluster.members as [Etcd, Etcd, Etcd]
    const impatient = connect({ hosts: one.address, timeout: 300 })
    const patient = connect({ hosts: one.address, timeout: 20_000 })
    await put(patient, 'a', '1')
    await Promise.all([two.kill(), three.kill()])
    let error: MicroError
    do error = await failureOf(readPage(impatient, oneKey('a')))
    while (!error.detail.includes('no leader'))
    const written = put(patient, 'b', '1')
    await two.restart()
    await written
    const { entries } = await readPage(patient, oneKey('b'))
    expect(entries[0]?.modRevision).toBe(entries[0]?.createRevision)
    await cluster.stop()
  })
})

describe.skipIf(etcd === undefined)('TLS', () => {
  test('authority and client certificate; without them nothing is answered', async () => {
    const authority = makeAuthority()
    const server = authority.issue('etcd')
    const client = authority.issue('client')
    const own = await start({ tls: { ca: authority.cert, ...server, clientCertificates: true } })
    await put(connect({ hosts: own.address, tls: { ca: authority.cert, ...client } }), 'a')

    const refused = [
      { hosts: own.address },
      { hosts: own.address, tls: { ca: authority.cert } },
      { hosts: own.address, tls: { ca: makeAuthority().cert, ...client } },
      { hosts: own.address.replace('https', 'http') },
    ]
    for (const options of refused) {
      const error = await failureOf(put(connect({ ...options, timeout: 2_000 }), 'a'))
      expect(error.code).toBe('unavailable')
    }
  })
})
