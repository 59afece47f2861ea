import type { Node } from '@micro/core/registry'
import type { RouteQuery, Router } from '@micro/core/router'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { idsOf, nodeAt, service, until } from './nodes.ts'
import { liveRecordCase, place, type RouterSource, recordCase } from './source.ts'

const tcp = { transport: 'tcp', url: 'tcp://10.0.0.9:9000', contentTypes: [] }
const [http] = nodeAt(1).endpoints

const nodes: readonly Node[] = [
  nodeAt(1, { version: '1.0.0', labels: { tier: 'gold', region: 'eu' } }),
  nodeAt(2, { version: '1.0.0', labels: { tier: 'silver', region: 'eu' } }),
  nodeAt(3, { version: '1.0', labels: { tier: 'gold' } }),
  nodeAt(4, { version: '2.0.0', labels: { tier: 'gold', region: 'us' }, endpoints: [tcp] }),
  nodeAt(5, { version: '2.0.0', endpoints: http === undefined ? [tcp] : [http, tcp] }),
  nodeAt(6, { version: '3', labels: { größe: '大', empty: '' }, endpoints: [] }),
]

const all = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6']

const queries: readonly (readonly [
  what: string,
  query: Omit<RouteQuery, 'service'>,
  ids: readonly string[],
])[] = [
  ['nothing finds all nodes', {}, all],
  ['undefined fields finds all nodes', { version: undefined, labels: undefined }, all],
  [
    'no labels and no transports in particular finds all nodes',
    { labels: {}, transports: [] },
    all,
  ],
  ['a version finds exactly that', { version: '1.0.0' }, ['n1', 'n2']],
  ['a version does not find longer ones', { version: '1.0' }, ['n3']],
  ['an unknown version finds none', { version: '1' }, []],
  ['a label finds the nodes with that value', { labels: { tier: 'gold' } }, ['n1', 'n3', 'n4']],
  ['two labels finds the nodes with both', { labels: { tier: 'gold', region: 'eu' } }, ['n1']],
  ['an unknown value finds none', { labels: { tier: 'bronze' } }, []],
  ['an unknown label finds none', { labels: { unknown: 'gold' } }, []],
  ['an empty value does not find nodes without the label', { labels: { empty: '' } }, ['n6']],
  ['a label beyond ASCII', { labels: { größe: '大' } }, ['n6']],
  ['version and label, each must fit', { version: '2.0.0', labels: { tier: 'gold' } }, ['n4']],
  ['a transport finds the nodes that have it', { transports: ['tcp'] }, ['n4', 'n5']],
  ['two transports finds the nodes with any', { transports: ['tcp', 'http'] }, all.slice(0, 5)],
  ['an unknown transport finds none', { transports: ['pigeon'] }, []],
  ['all of it', { version: '2.0.0', labels: { region: 'us' }, transports: ['tcp'] }, ['n4']],
]

export function filtersTrait(source: RouterSource): Trait<Router> {
  return {
    name: 'filters',
    cases: [
      ...queries.map(([what, query, ids]) =>
        recordCase(source, `a query for ${what}`, async (harness) => {
          await place(source, harness, nodes)
          const router = await harness.open()
          expect(idsOf(await router.view({ service, ...query }).ready())).toEqual(ids)
        }),
      ),
      recordCase(source, 'queries of one router do not get into each other', async (harness) => {
        await place(source, harness, nodes)
        const router = await harness.open()
        const views = queries.map(([, query]) => router.view({ service, ...query }))
        await Promise.all(views.map((view) => view.ready()))
        for (const [at, [what, , ids]] of queries.entries()) {
          expect(idsOf(views[at]?.current), what).toEqual(ids)
        }
      }),
      liveRecordCase(source, 'a node that comes to fit is found, then no more', async (harness) => {
        await place(source, harness, [nodeAt(1), nodeAt(2)])
        const view = (await harness.open()).view({ service, labels: { tier: 'gold' } })
        expect(idsOf(await view.ready())).toEqual([])
        await place(source, harness, [nodeAt(1), nodeAt(2, { labels: { tier: 'gold' } })])
        await until(view, (snapshot) => idsOf(snapshot).join() === 'n2')
        await place(source, harness, [nodeAt(1), nodeAt(2, { labels: { tier: 'silver' } })])
        await until(view, (snapshot) => idsOf(snapshot).join() === '')
      }),
    ],
  }
}
