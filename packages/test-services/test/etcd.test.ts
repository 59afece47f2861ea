import { type Etcd, etcdBinary, startEtcd, startEtcdCluster } from '@micro/test-services'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const binary = etcdBinary()

describe.skipIf(binary === undefined)('a real etcd', () => {
  let etcd: Etcd
  beforeAll(async () => {
    etcd = await startEtcd(binary ?? '')
  })
  afterAll(() => etcd.stop())

  test('keys, leases, and a history that can be forgotten', async () => {
    await etcd.put('a', '1')
    await etcd.put('a', '2')
    await etcd.put('ab', 'x')
    const { ID: lease = '' } = (await etcd.request('lease/grant', { TTL: 60 })) as { ID?: string }
    const key = Buffer.from('b').toString('base64')
    await etcd.request('kv/put', { key, value: key, lease })
    expect(await etcd.list('a')).toMatchObject([
      { key: 'a', value: '2', lease: '0' },
      { key: 'ab', value: 'x' },
    ])
    expect(await etcd.list('b')).toMatchObject([{ key: 'b', value: 'b', lease }])
    await etcd.revoke(lease)
    await etcd.delete('ab')
    expect((await etcd.list('')).map((entry) => entry.key)).toEqual(['a'])
    await etcd.compact()
    await expect(etcd.request('kv/range', { key, revision: 2 })).rejects.toThrow('compacted')
  })

  test('requests are counted by method', async () => {
    const before = await etcd.requests()
    await etcd.put('counted', '1')
    await etcd.list('counted')
    const after = await etcd.requests()
    for (const method of ['Put', 'Range']) {
      expect(after.get(method)).toBe((before.get(method) ?? 0) + 1)
    }
  })

  test('a restart keeps all, one that loses its data nothing, on the same address', async () => {
    await etcd.put('kept', '1')
    const { address, pid } = etcd
    await etcd.restart()
    expect(etcd.pid).not.toBe(pid)
    expect(await etcd.list('kept')).toHaveLength(1)
    await etcd.kill()
    await expect(etcd.list('kept')).rejects.toThrow('ECONNREFUSED')
    await etcd.restartEmpty()
    expect(etcd.address).toBe(address)
    expect(await etcd.list('')).toEqual([])
  })

  test('suspended it says nothing, and answers what was asked when it goes on', async () => {
    etcd.pause()
    let answered = false
    const asked = etcd.list('a').then(() => {
      answered = true
    })
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(answered).toBe(false)
    etcd.resume()
    await asked
  })

  test('with authentication it asks for a token, and forgets the ones it gave', async () => {
    const own = await startEtcd(binary ?? '')
    await own.enableAuth('secret')
    const range = { key: Buffer.from('a').toString('base64') }
    const { token } = (await own.request('auth/authenticate', {
      name: 'root',
      password: 'secret',
    })) as { token: string }
    const ask = async (headers: Record<string, string>): Promise<number> => {
      const body = JSON.stringify(range)
      const response = await fetch(`${own.address}/v3/kv/range`, { method: 'POST', headers, body })
      await response.text()
      return response.status
    }
    expect(await ask({})).not.toBe(200)
    expect(await ask({ authorization: token })).toBe(200)
    await own.voidTokens()
    expect(await ask({ authorization: token })).not.toBe(200)
    expect(await own.list('a')).toEqual([])
    await own.stop()
  })
})

describe.skipIf(binary === undefined)('a real cluster of three', () => {
  test('a leader that is cut off is replaced, and follows again once it is not', async () => {
    const cluster = await startEtcdCluster(binary ?? '', 3)
    const leader = await cluster.leader()
    await leader.put('a', '1')
    for (const member of cluster.members) expect(await member.list('a')).toHaveLength(1)
    cluster.isolate(leader)
    const next = await cluster.leader()
    expect(next).not.toBe(leader)
    await next.put('a', '2')
    // Its clients reach it, but without the others it may not answer.
    const answer = leader.list('a').then(
      () => 'answered',
      () => 'refused',
    )
    const silence = new Promise((resolve) => setTimeout(() => resolve('silent'), 1_000))
    expect(await Promise.race([answer, silence])).not.toBe('answered')
    cluster.heal()
    await expect
      .poll(async () => (await leader.list('a').catch(() => []))[0]?.value, { timeout: 15_000 })
      .toBe('2')
    await cluster.stop()
  })
})
