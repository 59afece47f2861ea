/**
 * Locks and leadership in etcd, with fencing tokens, in order of arrival.
 *
 * ```ts
 * import { etcdSync } from '@micro/plugin-sync-etcd'
 *
 * const sync = etcdSync({ hosts: ['http://etcd-1:2379', 'http://etcd-2:2379'] })
 * await using lock = await sync.lock('nightly-report')
 * ```
 *
 * @packageDocumentation
 */
export { etcdSync } from './etcd-sync.ts'
export type { EtcdSyncOptions } from './options.ts'
