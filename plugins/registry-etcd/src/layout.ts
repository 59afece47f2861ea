import { type Node, parseNode } from '@micro/core/registry'
import { goLayout } from './go-layout.ts'
import type { Settings } from './options.ts'

type Place = Pick<Node, 'service' | 'id'>

/** Where records are kept, and how they are written. */
export interface Layout {
  /** Of all records; ends in a slash, so that no other namespace begins alike. */
  readonly prefix: string
  encode(node: Node): string
  /** The node in a record; `undefined` for what is none. */
  decode(text: string): Node | undefined
}

export function layoutOf({ layout, namespace }: Pick<Settings, 'layout' | 'namespace'>): Layout {
  return layout === 'go' ? goLayout(namespace) : microLayout(namespace)
}

export function keyOf({ prefix }: Layout, { service, id }: Place): string {
  return `${prefix}${service}/${id}`
}

export function prefixOf({ prefix }: Layout, service: string | undefined): string {
  return service === undefined ? prefix : `${prefix}${service}/`
}

/** Who a key says that it is of; `undefined` for a key of something else. */
export function placeOf({ prefix }: Layout, key: string): Place | undefined {
  const [service, id, ...rest] = key.slice(prefix.length).split('/')
  return !service || !id || rest.length > 0 ? undefined : { service, id }
}

function microLayout(namespace: string): Layout {
  return { prefix: `/${namespace}/`, encode: (node) => JSON.stringify(node), decode: parseNode }
}
