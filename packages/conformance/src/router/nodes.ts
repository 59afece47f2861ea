import type { Node } from '@micro/core/registry'
import type { RouteView, Snapshot } from '@micro/core/router'

/** The service that most queries are for. */
export const service = 'orders'

/** The node `n<number>`, with an address of its own. */
export function nodeAt(number: number, over: Partial<Node> = {}): Node {
  return {
    schema: 1,
    id: `n${number}`,
    service,
    version: '1.0.0',
    weight: 1,
    labels: {},
    endpoints: [{ transport: 'http', url: urlAt(number), contentTypes: ['application/json'] }],
    ...over,
  }
}

/** The url of `nodeAt(number)`. */
export function urlAt(number: number): string {
  return `http://10.0.0.${number}:8080`
}

/** Where the routes lead, in order: all that every kind of router tells of a node. */
export function urlsOf(snapshot: Snapshot | undefined): string[] {
  const routes = snapshot?.routes ?? []
  return routes.flatMap(({ node }) => node.endpoints.map(({ url }) => url)).sort()
}

/** Ids in the order of the routes. */
export function idsOf(snapshot: Snapshot | undefined): string[] {
  return (snapshot?.routes ?? []).map(({ node }) => node.id)
}

/** The first snapshot from now that satisfies `done`. */
export async function until(
  view: RouteView,
  done: (snapshot: Snapshot) => boolean,
): Promise<Snapshot> {
  let snapshot = await view.ready()
  while (!done(snapshot)) snapshot = await view.changed(snapshot)
  return snapshot
}

/** The first snapshot from now that leads to exactly these nodes. */
export function untilAt(view: RouteView, numbers: readonly number[]): Promise<Snapshot> {
  const wanted = numbers.map(urlAt).sort().join()
  return until(view, (snapshot) => urlsOf(snapshot).join() === wanted)
}
