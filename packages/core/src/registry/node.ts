import { MicroError } from '../errors/micro-error.ts'
import type { Endpoint, MethodInfo, Node } from './registry.ts'

const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/
const kinds = new Set(['unary', 'server_stream', 'client_stream', 'bidi_stream'])
const idempotencies = new Set(['unknown', 'idempotent', 'no_side_effects'])

/** Refuses a node that other readers could not use. @throws `invalid_argument`, naming the field. */
export function validateNode(node: Node): void {
  const problem = findProblem(node)
  if (problem !== undefined) throw new MicroError('invalid_argument', `node ${node.id}: ${problem}`)
}

/**
 * Reads a record written by any version: unknown fields are ignored; `undefined` for text that is
 * not a usable record, since one bad record must not hide the others.
 */
export function parseNode(text: string): Node | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isObject(value) || findProblem(value) !== undefined) return undefined
  const record = value as unknown as Node
  return {
    schema: 1,
    id: record.id,
    service: record.service,
    version: record.version,
    weight: record.weight,
    ...(record.zone === undefined ? {} : { zone: record.zone }),
    labels: { ...record.labels },
    endpoints: record.endpoints.map(({ transport, url, contentTypes }) => ({
      transport,
      url,
      contentTypes,
    })),
    ...(record.methods === undefined ? {} : { methods: record.methods }),
  }
}

function findProblem(node: unknown): string | undefined {
  if (!isObject(node)) return 'not an object'
  const { schema, id, service, version, weight, zone, labels, endpoints, methods } =
    node as Partial<Record<keyof Node, unknown>>
  if (schema !== 1) return 'schema must be 1'
  if (!isName(id)) return 'id must be letters, digits, "_", "." and "-", at most 255'
  if (!isName(service)) return 'service must be letters, digits, "_", "." and "-", at most 255'
  if (typeof version !== 'string') return 'version must be a string'
  if (typeof weight !== 'number' || !(weight >= 0 && weight <= 1e6)) {
    return 'weight must be a number from 0 to 1,000,000'
  }
  if (zone !== undefined && typeof zone !== 'string') return 'zone must be a string'
  if (!isObject(labels) || !Object.values(labels).every((label) => typeof label === 'string')) {
    return 'labels must be an object of strings'
  }
  if (!Array.isArray(endpoints) || !endpoints.every(isEndpoint)) {
    return 'endpoints must be a list of { transport, url, contentTypes }'
  }
  if (methods !== undefined && !(Array.isArray(methods) && methods.every(isMethod))) {
    return 'methods must be a list of { name, kind, idempotency }'
  }
  return undefined
}

function isEndpoint(value: unknown): value is Endpoint {
  if (!isObject(value)) return false
  const { transport, url, contentTypes } = value as Partial<Record<keyof Endpoint, unknown>>
  return (
    typeof transport === 'string' &&
    typeof url === 'string' &&
    Array.isArray(contentTypes) &&
    contentTypes.every((type) => typeof type === 'string')
  )
}

function isMethod(value: unknown): value is MethodInfo {
  if (!isObject(value)) return false
  const { name, kind, idempotency } = value as Partial<Record<keyof MethodInfo, unknown>>
  return (
    typeof name === 'string' &&
    kinds.has(kind as string) &&
    idempotencies.has(idempotency as string)
  )
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && value.length <= 255 && namePattern.test(value)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
