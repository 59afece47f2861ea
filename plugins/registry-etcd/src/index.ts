/**
 * Service discovery in etcd: one record per node, with a lease that lapses with it.
 *
 * ```ts
 * import { createService } from '@micro/core'
 * import { etcdRegistry } from '@micro/plugin-registry-etcd'
 *
 * const registry = etcdRegistry({ hosts: ['https://etcd-1:2379', 'https://etcd-2:2379'] })
 * const service = createService({ name: 'greeter', registry })
 * ```
 *
 * @packageDocumentation
 */
export { etcdRegistry } from './etcd-registry.ts'
export type { EtcdRegistryOptions, InvalidRecord } from './options.ts'
