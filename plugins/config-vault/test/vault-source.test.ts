import { createConfig } from '@micro/core/config'
import { MicroError } from '@micro/core/errors'
import { type VaultSourceOptions, vaultSource } from '@micro/plugin-config-vault'
import { startVault, type Vault, vaultBinary } from '@micro/test-services'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

const binary = vaultBinary()
const policy = 'path "secret/data/shop" { capabilities = ["read"] }'

describe.skipIf(binary === undefined)('a real Vault', () => {
  let vault: Vault
  const opened: AsyncDisposable[] = []
  beforeAll(async () => {
    vault = await startVault(binary ?? '')
    await vault.request('POST', 'sys/policies/acl/shop', { policy })
  })
  afterAll(() => vault.stop())
  afterEach(async () => {
    for (const one of opened.splice(0)) await one[Symbol.asyncDispose]()
  })

  const open = (options: Partial<VaultSourceOptions> = {}) => {
    const source = vaultSource({
      address: vault.address,
      path: 'shop',
      auth: { token: vault.rootToken },
      interval: 20,
      ...options,
    })
    opened.push(source)
    return source
  }
  const follow = async (options: Partial<VaultSourceOptions> = {}) => {
    await vault.put('shop', { port: 1, password: 'hunter2' })
    const config = createConfig({ sources: [open(options)], coalesce: 1, secrets: ['password'] })
    opened.push(config)
    await config.connect()
    const port = (): unknown => (config.value as { port: unknown }).port
    return { config, port }
  }
  const makeRole = async (name: string, settings: Record<string, unknown> = {}) => {
    await vault.request('POST', `auth/approle/role/${name}`, {
      token_policies: ['shop'],
      ...settings,
    })
    const role = await vault.request('GET', `auth/approle/role/${name}/role-id`)
    const secret = await vault.request('POST', `auth/approle/role/${name}/secret-id`, {})
    const { role_id: roleId } = role['data'] as { role_id: string }
    const { secret_id: secretId } = secret['data'] as { secret_id: string }
    return { roleId, secretId }
  }
  /** The requests that the source itself makes are not seen: what it does is told by its tokens. */
  const tokensOf = async (): Promise<string[]> => {
    const { data } = await vault.request('LIST', 'auth/token/accessors')
    return (data as { keys: string[] }).keys
  }

  test('values come with mount, path and version, below the path they are wanted at', async () => {
    await vault.put('teams/blue/db', { user: 'ada', password: 'x', 'a.b': { c: [1, true, null] } })
    const config = createConfig({ sources: [open({ path: 'teams/blue/db', at: 'db.login' })] })
    opened.push(config)
    await config.connect()
    expect(config.value).toEqual({
      db: { login: { user: 'ada', password: 'x', 'a.b': { c: [1, true, null] } } },
    })
    expect(config.explain('db.login.user')).toMatchObject([
      { source: 'vault', origin: 'secret/teams/blue/db, version 1' },
    ])
  })

  test('a new version reaches a running config; one that is deleted is told of', async () => {
    const { config, port } = await follow()
    await vault.put('shop', { port: 2 })
    await expect.poll(port).toBe(2)
    await vault.request('DELETE', 'secret/data/shop')
    await expect.poll(() => config.health().status).toBe('degraded')
    expect(config.health().detail).toContain('status 404')
    expect(port()).toBe(2)
    await vault.put('shop', { port: 3 })
    await expect.poll(port, { timeout: 10_000 }).toBe(3)
    expect(config.health().status).toBe('up')
  })

  test('AppRole logs in, reads what its policy lets it, and nothing else', async () => {
    const auth = await makeRole('reader')
    await vault.put('shop', { port: 1 })
    expect((await open({ auth }).load()).values).toEqual({ port: 1 })
    await expect(open({ auth, path: 'ready' }).load()).rejects.toMatchObject({
      code: 'permission_denied',
      detail: expect.stringContaining('/v1/secret/data/ready: status 403'),
    })
  })

  test('a token is renewed, and when it may live no longer, another is had', async () => {
    const auth = await makeRole('brief', { token_ttl: '1s', token_max_ttl: '3s' })
    const before = new Set(await tokensOf())
    const { config, port } = await follow({ auth })
    const seen = new Set<string>()
    const ends = Date.now() + 7_000
    for (let round = 2; Date.now() < ends; round++) {
      await vault.put('shop', { port: round })
      await expect.poll(port, { timeout: 5_000 }).toBe(round)
      expect(config.health()).toEqual({ status: 'up' })
      for (const token of await tokensOf()) if (!before.has(token)) seen.add(token)
    }
    // Seven lives of one second: renewed to about three seconds each.
    expect(seen.size).toBeGreaterThanOrEqual(2)
    expect(seen.size).toBeLessThanOrEqual(5)
  })

  test('a revoked token is replaced where there is a role, and told of where there is none', async () => {
    const auth = await makeRole('revoked')
    await vault.put('shop', { port: 1 })
    const before = new Set(await tokensOf())
    const source = open({ auth })
    await source.load()
    for (const accessor of await tokensOf()) {
      if (!before.has(accessor)) {
        await vault.request('POST', 'auth/token/revoke-accessor', { accessor })
      }
    }
    expect((await source.load()).values).toEqual({ port: 1 })

    const made = await vault.request('POST', 'auth/token/create', { policies: ['shop'] })
    const { client_token: token } = made['auth'] as { client_token: string }
    const plain = open({ auth: { token } })
    await plain.load()
    await vault.request('POST', 'auth/token/revoke', { token })
    const error = await plain.load().catch((failure: unknown) => failure)
    expect(error).toMatchObject({ code: 'permission_denied' })
    expect(String(error)).not.toContain(token)
    expect(plain.health()).toMatchObject({ status: 'degraded' })
  })

  test('wrong credentials are told of without being shown', async () => {
    const { roleId } = await makeRole('wrong')
    for (const auth of [{ roleId, secretId: 'hunter2' }, { token: 'hvs.hunter2' }]) {
      const error = await open({ auth })
        .load()
        .catch((failure: unknown) => failure)
      expect(MicroError.is(error)).toBe(true)
      expect(String(error)).toMatch(/status 40[03]/)
      expect(String(error)).not.toContain('hunter2')
    }
  })

  test('what is no secret of KV version 2 is refused', async () => {
    await expect(open({ mount: 'sys', path: 'x' }).load()).rejects.toThrow(/status 40[034]/)
    await expect(open({ path: 'missing' }).load()).rejects.toMatchObject({
      code: 'unavailable',
      detail: expect.stringContaining('status 404: there is no such thing'),
    })
  })

  test('sealed and unsealed, killed and restarted: the last good stays, and it goes on', async () => {
    const auth = await makeRole('outage')
    const { config, port } = await follow({ auth })
    await vault.seal()
    await expect.poll(() => config.health().status, { timeout: 5_000 }).toBe('degraded')
    expect(config.health().detail).toContain('sealed')
    expect(port()).toBe(1)
    await vault.unseal()
    await vault.put('shop', { port: 2 })
    await expect.poll(port, { timeout: 10_000 }).toBe(2)

    await vault.kill()
    await expect.poll(() => config.health().status, { timeout: 5_000 }).toBe('degraded')
    expect(config.health().detail).toMatch(/ECONNRE(FUSED|SET)|other side closed/)
    expect(port()).toBe(2)
    await vault.restart()
    await vault.put('shop', { port: 3 })
    await expect.poll(port, { timeout: 10_000 }).toBe(3)
    await expect.poll(() => config.health().status).toBe('up')
    expect(JSON.stringify([config.redacted(), config.explain('password')])).not.toContain('hunter2')
  })
})

test.each([
  ['address', { address: 'vault.example' }],
  ['address', { address: 'http://user:hunter2@vault.example' }],
  ['path', { path: '' }],
  ['path', { path: '/shop' }],
  ['path', { path: 'a/../../sys' }],
  ['mount', { mount: 'a b' }],
  ['at', { at: 'a..b' }],
  ['auth', { auth: {} as never }],
  ['auth', { auth: { token: 'hunter2', roleId: 'a', secretId: 'b' } as never }],
  ['auth.token', { auth: { token: 'hunter2\n' } }],
  ['auth.mount', { auth: { roleId: 'a', secretId: 'hunter2', mount: '../sys' } }],
  ['interval', { interval: 0 }],
  ['timeout', { timeout: Number.NaN }],
])('a bad %s is refused by name', (field, options) => {
  const auth = { token: 'x' }
  const make = () =>
    vaultSource({ address: 'http://vault.example', path: 'shop', auth, ...options })
  expect(make).toThrow(`${field}:`)
  expect(make).not.toThrow('hunter2')
})
