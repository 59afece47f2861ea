import type { Resolver } from 'node:dns/promises'
import type { Node } from '@micro/core/registry'
import { fromDns, isEmpty } from './errors.ts'
import type { DnsSettings } from './options.ts'

/** What DNS says of a service at one moment. */
export interface Answer {
  readonly nodes: readonly Node[]
  /** Milliseconds that it is good for. */
  readonly ttl: number
}

/** @throws `unavailable` where there is no answer; that there is no such name is one. */
export async function lookUp(
  service: string,
  resolver: Pick<Resolver, 'resolve4' | 'resolve6' | 'resolveSrv'>,
  settings: DnsSettings,
): Promise<Answer> {
  const name = settings.name(service)
  try {
    return settings.records === 'srv'
      ? await lookUpSrv(service, name, resolver, settings)
      : await lookUpAddresses(service, name, resolver, settings)
  } catch (error) {
    throw fromDns(error, name)
  }
}

async function lookUpAddresses(
  service: string,
  name: string,
  resolver: Pick<Resolver, 'resolve4' | 'resolve6'>,
  settings: DnsSettings,
): Promise<Answer> {
  const [v4, v6] = await Promise.all([
    orEmpty(resolver.resolve4(name, { ttl: true })),
    orEmpty(resolver.resolve6(name, { ttl: true })),
  ])
  const { port = 0, minTtl, maxTtl } = settings
  const all = [...v4, ...v6.map(({ address, ttl }) => ({ address: `[${address}]`, ttl }))]
  // How long nothing stays nothing, Node does not tell.
  const shortest = all.length === 0 ? minTtl : Math.min(...all.map(({ ttl }) => ttl * 1_000))
  const hosts = new Set(all.map(({ address }) => address))
  return {
    nodes: [...hosts].map((host) => nodeAt(service, host, port, 1, settings)),
    ttl: Math.min(maxTtl, Math.max(minTtl, shortest)),
  }
}

/** RFC 2782: of the lowest priority, in proportion to their weights. */
async function lookUpSrv(
  service: string,
  name: string,
  resolver: Pick<Resolver, 'resolveSrv'>,
  settings: DnsSettings,
): Promise<Answer> {
  const records = await orEmpty(resolver.resolveSrv(name))
  // A target of "." says that the service is decidedly not available.
  const there = records.filter((record) => record.name !== '.' && record.name !== '')
  const first = Math.min(...there.map(({ priority }) => priority))
  const preferred = there.filter(({ priority }) => priority === first)
  const weightless = preferred.every(({ weight }) => weight === 0)
  return {
    nodes: preferred.map(({ name: host, port, weight }) =>
      // A weight of 0 beside others is to be picked seldom, which here a weight of 0 would never be.
      nodeAt(service, host, port, weightless ? 1 : Math.max(weight, 0.1), settings),
    ),
    ttl: settings.maxTtl,
  }
}

async function orEmpty<T>(answer: Promise<T[]>): Promise<T[]> {
  try {
    return await answer
  } catch (error) {
    if (isEmpty(error)) return []
    throw error
  }
}

function nodeAt(
  service: string,
  host: string,
  port: number,
  weight: number,
  { transport, scheme, contentTypes }: DnsSettings,
): Node {
  const id = `${host}:${port}`
  return {
    schema: 1,
    id,
    service,
    version: '',
    weight,
    labels: {},
    endpoints: [{ transport, url: `${scheme}://${id}`, contentTypes }],
  }
}
