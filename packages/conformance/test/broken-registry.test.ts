import { registryTraits } from '@micro/conformance/registry'
import { MicroError } from '@micro/core/errors'
import {
  memoryRegistry,
  type Node,
  type Registry,
  type RegistryWatcher,
} from '@micro/core/registry'
import { describe, expect, test } from 'vitest'
import {
  dropsChanges,
  endsWithCall,
  endsWithSignal,
  tellsItself,
  watchesLate,
} from './support/broken-registry-watches.ts'
import { failuresOf } from './support/failures-of.ts'
import { sharedRegistries } from './support/shared-registries.ts'

type Break = (registry: Registry) => Partial<Registry>

/** Ways to be wrong, at least one for each trait. */
const broken: readonly (readonly [trait: string, what: string, make: Break])[] = [
  ['registering', 'keeps its nodes to itself', () => memoryRegistry()],
  ['registering', 'merges a record with the one before', mergesRecords],
  [
    'registering',
    'withdraws by id alone',
    (registry) => ({
      async deregister({ id }, options) {
        for (const node of await registry.list()) {
          if (node.id === id) await registry.deregister(node, options)
        }
      },
    }),
  ],
  [
    'listing',
    'takes a service for a prefix',
    (registry) => ({
      list: async ({ service = '' } = {}) =>
        (await registry.list()).filter((node) => node.service.startsWith(service)),
    }),
  ],
  ['listing', 'loses methods', withNode(({ methods: _, ...node }) => node)],
  [
    'listing',
    'keeps labels as Latin-1',
    withNode((node) => ({
      ...node,
      labels: Object.fromEntries(
        Object.entries(node.labels).map(([name, value]) => [
          name,
          Buffer.from(value, 'latin1').toString('latin1'),
        ]),
      ),
    })),
  ],
  [
    'listing',
    'folds the case of ids',
    withNode((node) => ({ ...node, id: node.id.toLowerCase() })),
  ],
  [
    'ttl',
    'forgets the ttl',
    (registry) => ({
      register: (node, { ttl, ...rest } = {}) =>
        registry.register(
          node,
          ttl !== undefined && ttl < 60_000 && ttl > 0 ? rest : { ttl, ...rest },
        ),
    }),
  ],
  ['ttl', 'renews nothing that is unchanged', renewsNothing],
  [
    'ttl',
    'takes a ttl of 0 for none',
    (registry) => ({
      register: (node, { ttl, ...rest } = {}) =>
        registry.register(node, ttl === 0 ? rest : { ttl, ...rest }),
    }),
  ],
  [
    'watching',
    'begins without a reset',
    (registry) => ({
      async watch(options) {
        const watcher = await registry.watch(options)
        await watcher.next()
        return watcher
      },
    }),
  ],
  ['watching', 'begins to watch when first read', watchesLate],
  ['watching', 'tells its own changes only', tellsItself],
  ['watching', 'drops what comes too fast', dropsChanges],
  [
    'watchers',
    'watches all services',
    (registry) => ({ watch: ({ service: _, ...rest } = {}) => registry.watch(rest) }),
  ],
  [
    'watchers',
    'does not end with break',
    (registry) => ({
      async watch(options) {
        const watcher = await registry.watch(options)
        const endless: RegistryWatcher = {
          ...watcher,
          return: async () => ({ done: true, value: undefined }),
          [Symbol.asyncIterator]: () => endless,
        }
        return endless
      },
    }),
  ],
  ['watchers', 'leaves watches open when closed', leavesWatches],
  ['refusals', 'drops a malformed node without a word', withoutError],
  [
    'refusals',
    'does not say what is wrong',
    (registry) => ({
      async register(node, options) {
        await registry.register(node, options).catch((error: unknown) => {
          if (!MicroError.is(error, 'invalid_argument')) throw error
          throw new MicroError('invalid_argument', 'bad node')
        })
      },
    }),
  ],
  ['independence from callers', 'ends a watch with the signal it began with', endsWithSignal],
  ['independence from callers', 'ends a watch with the call it began in', endsWithCall],
  [
    'independence from callers',
    'withdraws a node with the signal',
    (registry) => ({
      async register(node, options) {
        await registry.register(node, options)
        options?.signal?.addEventListener('abort', () => registry.deregister(node))
      },
    }),
  ],
  [
    'lifecycle',
    'goes on after close',
    () => ({ close: async () => undefined, [Symbol.asyncDispose]: async () => undefined }),
  ],
  ['lifecycle', 'ignores signals', (registry) => ({ list: () => registry.list() })],
]

// Together, since a broken registry mostly makes a case wait for what never comes.
describe.concurrent('a registry that', () => {
  test.each(broken)('%s: %s, is caught', { timeout: 15_000 }, async (name, _what, breakIt) => {
    const open = sharedRegistries()
    const create = (scope: string): Registry => {
      const registry = open(scope)
      return { ...registry, ...breakIt(registry) }
    }
    expect(await failuresOf(traitNamed(name), { name: 'broken', create })).not.toEqual([])
  })

  test('scopes: has one scope for all, is caught', async () => {
    const open = sharedRegistries()
    const create = (): Registry => open('all')
    expect(await failuresOf(traitNamed('scopes'), { name: 'broken', create })).toHaveLength(3)
  })

  test('scopes: takes a scope for a prefix, is caught', async () => {
    const open = sharedRegistries()
    const create = (scope: string): Registry => open(scope.slice(0, 12))
    expect(await failuresOf(traitNamed('scopes'), { name: 'broken', create })).toHaveLength(1)
  })
})

function traitNamed(name: string) {
  return registryTraits.find((one) => one.name === name)
}

/** Changes every node on its way in. */
function withNode(change: (node: Node) => Node): Break {
  return (registry) => ({ register: (node, options) => registry.register(change(node), options) })
}

function mergesRecords(registry: Registry): Partial<Registry> {
  return {
    async register(node, options) {
      const before = (await registry.list()).find((one) => one.id === node.id)
      await registry.register(
        { ...before, ...node, labels: { ...before?.labels, ...node.labels } },
        options,
      )
    },
  }
}

function renewsNothing(registry: Registry): Partial<Registry> {
  return {
    async register(node, options) {
      const nodes = await registry.list()
      if (nodes.some((one) => JSON.stringify(one) === JSON.stringify(node))) return
      await registry.register(node, options)
    },
  }
}

function leavesWatches(registry: Registry): Partial<Registry> {
  let closed = false
  const close = async (): Promise<void> => {
    closed = true
  }
  const guard = (): void => {
    if (closed) throw new MicroError('failed_precondition', 'closed')
  }
  return {
    close,
    [Symbol.asyncDispose]: close,
    async register(node, options) {
      guard()
      await registry.register(node, options)
    },
  }
}

function withoutError(registry: Registry): Partial<Registry> {
  return {
    async register(node, options) {
      await registry.register(node, options).catch((error: unknown) => {
        if (!MicroError.is(error, 'invalid_argument')) throw error
      })
    },
  }
}
