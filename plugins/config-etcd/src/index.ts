/**
 * Config from etcd: the keys below a prefix as a tree, or one key as a document; reloaded when it changes.
 *
 * ```ts
 * import { createConfig } from '@micro/core/config'
 * import { etcdSource } from '@micro/plugin-config-etcd'
 *
 * const config = createConfig({
 *   sources: [etcdSource({ hosts: 'http://etcd-1:2379', prefix: '/config/shop' })],
 * })
 * ```
 *
 * @packageDocumentation
 */
export { type EtcdConfigSource, etcdSource } from './etcd-source.ts'
export type { EtcdSourceOptions } from './options.ts'
