import {
  type Access,
  checkRule,
  type Resource,
  type Rule,
  type StoreAccessOptions,
  storeAccess,
} from '@micro/core/access'
import type { Account } from '@micro/core/auth'
import { createEventFeed } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import { MemoryStoreBackend, memoryStore, type Store, type StoreEvent } from '@micro/core/store'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'

const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of opened.splice(0)) await one[Symbol.asyncDispose]()
})

async function open(options: Partial<StoreAccessOptions> = {}): Promise<Access> {
  const access = storeAccess({ store: memoryStore(), ...options })
  opened.push(access)
  await access.connect()
  return access
}

function account(...scopes: string[]): Account {
  return { id: 'ada', type: 'user', issuer: 'test', scopes, metadata: {} }
}

function rule(id: string, given: Partial<Omit<Rule, 'resource'>> & Partial<Resource> = {}): Rule {
  const { type = 'service', name = 'shop', endpoint = 'buy', ...rest } = given
  return { id, access: 'allow', scope: '', ...rest, resource: { type, name, endpoint } }
}

const buy: Resource = { type: 'service', name: 'shop', endpoint: 'buy' }

describe('deciding', () => {
  test('all is allowed without a rule, and nothing but what a rule allows with one', async () => {
    const access = await open()
    expect(access.decide(undefined, buy)).toMatchObject({ allowed: true, reason: 'unconfigured' })
    await access.grant(rule('a', { name: 'other' }))
    expect(access.decide(undefined, buy)).toMatchObject({ allowed: false, reason: 'default' })
    expect(await access.revoke('a')).toBe(true)
    expect(await access.revoke('a')).toBe(false)
    expect(access.decide(undefined, buy).allowed).toBe(true)
  })

  test('nothing is allowed without a rule where that is the default', async () => {
    const access = await open({ defaultDeny: true })
    expect(access.decide(account(), buy)).toMatchObject({ allowed: false, reason: 'default' })
  })

  test('everyone, any account, those with a scope', async () => {
    const access = await open()
    await access.grant(rule('everyone', { endpoint: 'look' }))
    await access.grant(rule('any', { endpoint: 'buy', scope: '*' }))
    await access.grant(rule('named', { endpoint: 'refund', scope: 'admin' }))
    const who = [undefined, account(), account('admin')]
    const allowed = (endpoint: string) =>
      who.map((one) => access.decide(one, { ...buy, endpoint }).allowed)
    expect(allowed('look')).toEqual([true, true, true])
    expect(allowed('buy')).toEqual([false, true, true])
    expect(allowed('refund')).toEqual([false, false, true])
  })

  test('an account with a scope that is called like everyone gains nothing by it', async () => {
    const access = await open()
    await access.grant(rule('no', { access: 'deny', scope: 'guest' }))
    await access.grant(rule('odd', { scope: '__proto__', priority: 1 }))
    expect(access.decide(account('', '*', 'constructor'), buy).allowed).toBe(false)
    expect(access.decide(account('__proto__'), buy).allowed).toBe(true)
  })

  test('the highest priority is asked first, among equals a denial, then by id', async () => {
    const access = await open()
    await access.grant(rule('b', { priority: 1 }))
    expect(access.decide(account(), buy).rule?.id).toBe('b')
    await access.grant(rule('c', { priority: 1, access: 'deny', name: '*' }))
    expect(access.decide(account(), buy).rule?.id).toBe('c')
    await access.grant(rule('a', { priority: 2, type: '*' }))
    expect(access.decide(account(), buy).rule?.id).toBe('a')
    await access.grant(rule('A', { priority: 2, scope: '*' }))
    expect(access.decide(account(), buy).rule?.id).toBe('A')
    expect(access.rules().map(({ id }) => id)).toEqual(['A', 'a', 'c', 'b'])
  })

  test('a path stands for what is below it, by whole segments', async () => {
    const access = await open()
    await access.grant(rule('a', { type: 'http', name: '/users/*', endpoint: '*' }))
    const allowed = (name: string) =>
      access.decide(undefined, { type: 'http', name, endpoint: 'GET' }).allowed
    expect(['/users/7', '/users/7/keys', '/users/ü'].map(allowed)).toEqual([true, true, true])
    expect(
      ['/users', '/users/', '/users-old/7', '/Users/7', '/a/users/7', 'users/7'].map(allowed),
    ).toEqual([false, false, false, false, false, false])
  })

  test('a replaced rule leaves nothing behind', async () => {
    const access = await open()
    await access.grant(rule('a'))
    await access.grant(rule('a', { endpoint: 'look' }))
    expect(access.decide(undefined, buy).allowed).toBe(false)
    expect(access.rules()).toHaveLength(1)
  })

  test('agrees with asking rule after rule', async () => {
    const part = fc.constantFrom('*', 'a', 'b', '/a', '/a/*', '/a/b', '/a/b/*', '/*')
    const text = fc.constantFrom('a', 'b', '/a', '/a/b', '/a/b/c', '/b')
    const rules = fc.uniqueArray(
      fc.record({
        id: fc.constantFrom('1', '2', '3', '4', '5', '6'),
        access: fc.constantFrom('allow' as const, 'deny' as const),
        scope: fc.constantFrom('', '*', 'x', 'y'),
        priority: fc.integer({ min: -1, max: 1 }),
        resource: fc.record({ type: part, name: part, endpoint: part }),
      }),
      { selector: ({ id }) => id },
    )
    const who = fc.option(fc.subarray(['x', 'y', 'z']), { nil: undefined })
    await fc.assert(
      fc.asyncProperty(
        rules,
        who,
        fc.record({ type: text, name: text, endpoint: text }),
        async (given, scopes, resource) => {
          const access = storeAccess({ store: memoryStore(), defaultDeny: true })
          for (const one of given) await access.grant(one)
          await access.connect()
          const decision = access.decide(scopes && account(...scopes), resource)
          const first = plainly(given, scopes, resource)
          expect(decision.rule?.id).toBe(first?.id)
          expect(decision.allowed).toBe(first?.access === 'allow')
          const { candidates, unmatched } = access.explain(scopes && account(...scopes), resource)
          expect(candidates.length + unmatched).toBe(given.length)
          await access.close()
        },
      ),
      { numRuns: 300 },
    )
  })
})

/** The same by the text of the contract, without an index. */
function plainly(
  rules: readonly Rule[],
  scopes: readonly string[] | undefined,
  resource: Resource,
): Rule | undefined {
  const matches = (pattern: string, text: string): boolean =>
    pattern === '*' ||
    pattern === text ||
    (pattern.endsWith('/*') &&
      text.startsWith(pattern.slice(0, -1)) &&
      text.length >= pattern.length)
  const parts = ['type', 'name', 'endpoint'] as const
  return rules
    .filter(({ resource: pattern }) =>
      parts.every((part) => matches(pattern[part], resource[part])),
    )
    .filter(({ scope }) => scope === '' || (scope === '*' ? scopes : scopes?.includes(scope)))
    .sort(
      (a, b) =>
        (b.priority ?? 0) - (a.priority ?? 0) ||
        Number(a.access === 'allow') - Number(b.access === 'allow') ||
        a.id.localeCompare(b.id),
    )[0]
}

describe('attempts to slip by a rule', () => {
  test.each([
    ['a percent code', '/admin%2Fkeys'],
    ['an encoded letter', '/%61dmin/keys'],
    ['dots that lead back', '/public/../admin'],
    ['a dot that leads nowhere', '/./admin'],
    ['an empty segment', '//admin'],
    ['a slash behind', '/admin/'],
    ['a backslash', '/admin\\keys'],
    ['a NUL', '/admin\0'],
    ['a line break', '/admin\n'],
    ['a space behind', '/admin '],
    ['a character of no width', '/ad\u200bmin'],
    ['text that runs to the left', '/\u202eadmin'],
    ['a letter and an accent for one letter', '/cafe\u0301'],
    ['a full-width letter', '/\uff41dmin'],
    ['a ligature', '/o\ufb03ce'],
    ['half of a surrogate pair', '/\ud800'],
    ['a wildcard of its own', '/*'],
    ['a query', '/admin?x'],
    ['a fragment', '/admin#x'],
    ['nothing', ''],
    ['very much', `/${'a'.repeat(2_000)}`],
  ])('%s is denied whatever the rules say', async (_what, name) => {
    const access = await open()
    await access.grant(rule('all', { type: '*', name: '*', endpoint: '*', priority: 9 }))
    for (const odd of [
      { type: 'http', name, endpoint: 'GET' },
      { type: name, name: 'a', endpoint: 'GET' },
      { type: 'http', name: 'a', endpoint: name },
    ]) {
      expect(access.decide(account('admin'), odd)).toMatchObject({
        allowed: false,
        reason: 'malformed',
      })
      expect(access.explain(account('admin'), odd)).toMatchObject({ candidates: [], unmatched: 1 })
    }
  })

  test('upper case is another resource', async () => {
    const access = await open()
    await access.grant(rule('a'))
    expect(access.decide(undefined, { ...buy, endpoint: 'Buy' }).allowed).toBe(false)
    expect(access.decide(undefined, { ...buy, name: 'SHOP' }).allowed).toBe(false)
  })
})

describe('rules', () => {
  test.each([
    ['id', { id: 'a b' }],
    ['id', { id: '' }],
    ['access', { access: 'maybe' }],
    ['scope', { scope: 'a b' }],
    ['scope', { scope: undefined }],
    ['priority', { priority: 0.5 }],
    ['priority', { priority: 2_000_000 }],
    ['resource.type', { resource: { ...buy, type: '' } }],
    ['resource.name', { resource: { ...buy, name: 'a*' } }],
    ['resource.name', { resource: { ...buy, name: '/a/*/b' } }],
    ['resource.endpoint', { resource: { ...buy, endpoint: '/a/../*' } }],
    ['resource.type', { resource: undefined }],
  ])('a bad %s is refused by name', (field, change) => {
    expect(() => checkRule({ ...rule('a'), ...change } as Rule)).toThrow(`rule ${field}:`)
  })

  test('are limited in number, and a change of one is no addition', async () => {
    const access = await open({ limit: 2 })
    await access.grant(rule('a'))
    await access.grant(rule('b'))
    await expect(access.grant(rule('c'))).rejects.toMatchObject({ code: 'resource_exhausted' })
    await access.grant(rule('b', { scope: '*' }))
  })

  test('of ten thousand the one about the resource is found', async () => {
    const access = await open()
    await Promise.all(
      Array.from({ length: 10_000 }, (_, at) => access.grant(rule(`r${at}`, { name: `s${at}` }))),
    )
    expect(access.decide(undefined, { ...buy, name: 's7777' }).rule?.id).toBe('r7777')
    const { unmatched } = access.explain(undefined, { ...buy, name: 's1' })
    expect(unmatched).toBe(9_999)
  })

  test('explain tells of each that matches why it did not decide', async () => {
    const access = await open()
    await access.grant(rule('scoped', { scope: 'admin', priority: 2 }))
    await access.grant(rule('wins', { scope: '*', priority: 1 }))
    await access.grant(rule('later', { access: 'deny' }))
    await access.grant(rule('elsewhere', { name: 'other' }))
    const { candidates, unmatched, allowed } = access.explain(account(), buy)
    expect(allowed).toBe(true)
    expect(candidates.map(({ rule: { id }, outcome }) => [id, outcome])).toEqual([
      ['scoped', 'scope'],
      ['wins', 'decides'],
      ['later', 'outranked'],
    ])
    expect(unmatched).toBe(1)
  })
})

describe('sharing', () => {
  const withoutWatch = ({ watch: _, ...store }: Store): Store => ({
    ...store,
    supports: { ...store.supports, watch: false },
  })

  test.each([
    ['a store with a watch', (store: Store) => store],
    ['a store without one', withoutWatch],
  ])('over %s: what one instance changes, another decides by', async (_what, through) => {
    const backend = new MemoryStoreBackend()
    const [one, other] = await Promise.all(
      [1, 2].map(() => open({ store: through(memoryStore({ backend })), interval: 10 })),
    )
    const reaches = async (allowed: boolean): Promise<void> => {
      await expect.poll(() => other?.decide(account(), buy).allowed).toBe(allowed)
    }
    await one?.grant(rule('no', { access: 'deny' }))
    await reaches(false)
    await one?.grant(rule('no', { access: 'allow' }))
    await reaches(true)
    await one?.grant(rule('other', { name: 'other' }))
    await one?.revoke('no')
    await reaches(false)
    expect(other?.rules().map(({ id }) => id)).toEqual(['other'])
    expect(other?.health()).toEqual({ status: 'up' })
  })

  test('what is granted here is in force at once', async () => {
    const access = await open({ store: withoutWatch(memoryStore()), interval: 60_000 })
    await access.grant(rule('a'))
    expect(access.decide(undefined, buy).rule?.id).toBe('a')
    await access.revoke('a')
    expect(access.decide(undefined, buy).rule).toBeUndefined()
  })

  test('the last known rules hold while the store is away, and its return is noticed', async () => {
    const store = withoutWatch(memoryStore())
    let away = false
    const access = await open({
      interval: 10,
      store: {
        ...store,
        list: (options) => {
          if (away) throw new MicroError('unavailable', 'the store is away')
          return store.list(options)
        },
      },
    })
    await access.grant(rule('a', { scope: 'admin' }))
    away = true
    await expect.poll(() => access.health().status).toBe('degraded')
    expect(access.health().detail).toContain('the store is away')
    expect(access.decide(account('admin'), buy).allowed).toBe(true)
    expect(access.decide(account(), buy).allowed).toBe(false)
    away = false
    await expect.poll(() => access.health().status).toBe('up')
  })

  test('what a watch may have missed is looked up, again and again if need be', async () => {
    const store = memoryStore()
    const feed = createEventFeed<StoreEvent>({
      keyOf: () => '',
      overflow: { type: 'reset' },
      onClose: () => undefined,
    })
    let refusals = 0
    const deaf: Store = {
      ...store,
      watch: async () => feed.watcher,
      list: (options) => {
        if (refusals-- > 0) throw new MicroError('unavailable', 'not yet')
        return store.list(options)
      },
    }
    const access = await open({ store: deaf })
    const elsewhere = await open({ store })
    await elsewhere.grant(rule('a', { scope: 'admin' }))
    await access.grant(rule('mine'))
    expect(access.rules().map(({ id }) => id)).toEqual(['mine'])
    refusals = 2
    feed.push({ type: 'reset' })
    await expect.poll(() => access.rules().map(({ id }) => id)).toEqual(['a', 'mine'])
    expect(access.health()).toEqual({ status: 'up' })
    feed.end()
    await expect.poll(() => access.health().status).toBe('degraded')
  })

  test('a rule that cannot be read leaves the one before in force, and is told of', async () => {
    const store = memoryStore()
    const access = await open({ store })
    await access.grant(rule('no', { access: 'deny' }))
    for (const bad of ['{', '[]', 'null', '{"schema":2}', '{"schema":1,"access":"maybe"}']) {
      await store.write('access/rule/no', new TextEncoder().encode(bad))
      await expect.poll(() => access.health().status).toBe('degraded')
      expect(access.health().detail).toContain('rule no')
      expect(access.decide(account(), buy).allowed).toBe(false)
      await access.grant(rule('no', { access: 'deny' }))
      expect(access.health().status).toBe('up')
    }
    await store.write('access/rule/no', new TextEncoder().encode('{'))
    const another = storeAccess({ store })
    await expect(another.connect()).rejects.toMatchObject({ code: 'data_loss' })
    await another.close()
  })

  test('before connect and after close nothing is decided', async () => {
    const access = storeAccess({ store: memoryStore() })
    const refused = expect.objectContaining({ code: 'failed_precondition' })
    expect(() => access.decide(undefined, buy)).toThrow(refused)
    expect(() => access.explain(undefined, buy)).toThrow(refused)
    expect(() => access.rules()).toThrow(refused)
    await access.connect()
    access.decide(undefined, buy)
    await access.close()
    expect(() => access.decide(undefined, buy)).toThrow(refused)
    await expect(access.grant(rule('a'))).rejects.toThrow(refused)
    expect(access.health().status).toBe('down')
  })

  test.each([
    ['interval', { interval: 0 }],
    ['limit', { limit: 0 }],
    ['namespace', { namespace: 'a/b' }],
  ])('a bad %s is refused by name', (field, options) => {
    expect(() => storeAccess({ store: memoryStore(), ...options })).toThrow(field)
  })
})
