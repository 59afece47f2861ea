import { type Endpoint, type Node, parseNode } from '@micro/core/registry'
import type { Layout } from './layout.ts'

/** The record of a Go service, as far as it is of use here. */
interface GoService {
  readonly name: string
  readonly version: string
  readonly metadata: Readonly<Record<string, string>>
  readonly nodes: readonly GoNode[]
}

interface GoNode {
  readonly id: string
  readonly address: string
  readonly metadata: Readonly<Record<string, string>>
}

/** In the metadata of a node that this library has registered: all of its record. */
const recordField = 'micro-node'

/** What a service that registers itself in this way can be taken to decode. */
const contentTypes: Readonly<Record<string, readonly string[]>> = {
  grpc: ['application/proto', 'application/json'],
  http: ['application/json'],
}

/**
 * Keys and values of the Go framework's register for etcd, version 3: a service with one node each. Go
 * services call the first endpoint, gRPC before all others; services of this library read the record
 * that comes along.
 */
export function goLayout(namespace: string): Layout {
  return {
    prefix: `/micro/register/${namespace}/`,
    encode: (node) => JSON.stringify(toGo(node, namespace)),
    decode(text) {
      const service = parseGo(text)
      const [only, ...others] = service?.nodes ?? []
      if (service === undefined || only === undefined || others.length > 0) return undefined
      const record = only.metadata[recordField]
      // Checked like every other record, since Go services can write it too.
      return parseNode(record ?? JSON.stringify(fromGo(service, only)))
    },
  }
}

function toGo(node: Node, namespace: string): unknown {
  const endpoint = node.endpoints.find(({ transport }) => transport === 'grpc') ?? node.endpoints[0]
  const transport = endpoint?.transport ?? 'grpc'
  const url =
    endpoint !== undefined && URL.canParse(endpoint.url) ? new URL(endpoint.url) : undefined
  return {
    name: node.service,
    version: node.version,
    metadata: { domain: namespace },
    endpoints: (node.methods ?? []).map(({ name, kind }) => ({
      name: `${node.service}.${name}`,
      metadata: kind === 'unary' ? {} : { stream: 'true' },
    })),
    nodes: [
      {
        id: node.id,
        address: url?.host ?? '',
        metadata: {
          ...node.labels,
          domain: namespace,
          server: transport,
          protocol: transport,
          registry: 'etcd',
          [recordField]: JSON.stringify(node),
        },
      },
    ],
  }
}

function fromGo({ name, version, metadata }: GoService, node: GoNode): Node {
  const transport = node.metadata['protocol'] ?? node.metadata['server'] ?? 'grpc'
  // Version 4 has a scheme of its own in front.
  const address = node.address.replace(/^[a-z0-9+.-]+:\/\//i, '')
  const endpoint: Endpoint = {
    transport,
    url: transport === 'tcp' ? `tcp://${address}` : `http://${address}`,
    contentTypes: contentTypes[transport] ?? [],
  }
  return {
    schema: 1,
    id: node.id,
    service: name,
    version,
    weight: 1,
    labels: { ...metadata, ...node.metadata },
    endpoints: address === '' ? [] : [endpoint],
  }
}

function parseGo(text: string): GoService | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const { name, version = '', nodes, metadata } = objectOf(value)
  if (typeof name !== 'string' || typeof version !== 'string' || !Array.isArray(nodes)) {
    return undefined
  }
  return {
    name,
    version,
    metadata: textsOf(metadata),
    nodes: nodes.flatMap((node) => {
      const { id, address, metadata: own } = objectOf(node)
      if (typeof id !== 'string' || typeof address !== 'string') return []
      return [{ id, address, metadata: textsOf(own) }]
    }),
  }
}

/** Texts only; version 4 has lists of them, as headers have. */
function textsOf(value: unknown): Record<string, string> {
  const texts = Object.entries(objectOf(value)).map(([name, found]): [string, unknown] => [
    name,
    Array.isArray(found) ? found.join(',') : found,
  ])
  return Object.fromEntries(
    texts.filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  )
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
