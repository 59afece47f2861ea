/**
 * Small records in etcd: versions, atomic batches, ttl and watch.
 *
 * ```ts
 * import { etcdStore } from '@micro/plugin-store-etcd'
 *
 * const store = etcdStore({ hosts: ['http://etcd-1:2379', 'http://etcd-2:2379'], namespace: 'shop' })
 * ```
 *
 * @packageDocumentation
 */
export { etcdStore } from './etcd-store.ts'
export type { EtcdStoreOptions } from './options.ts'
