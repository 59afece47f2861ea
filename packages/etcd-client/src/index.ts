/**
 * What the etcd plugins share, on the package `etcd3`: options, one connection with failover, errors,
 * leases with their own clock, and ranges that are followed through every outage.
 *
 * @packageDocumentation
 */
export { type EtcdCallOptions, type EtcdClient, openClient } from './client.ts'
export { createConnection, type EtcdConnection, type RequestOptions } from './connection.ts'
export { fromEtcd } from './errors.ts'
export { type Following, type FollowOptions, follow } from './follow.ts'
export { type FollowedRange, type FollowRangeOptions, followRange } from './follow-range.ts'
export {
  type EtcdLease,
  grantLease,
  type LeaseOptions,
  renewLease,
  revokeLease,
} from './leases.ts'
export {
  checkPath,
  checkRange,
  type EtcdOptions,
  type EtcdSettings,
  type EtcdTls,
  settleEtcd,
} from './options.ts'
export {
  type EtcdEntry,
  type KeyRange,
  keysBelow,
  oneKey,
  type Page,
  type PageOptions,
  type Position,
  readPage,
  readRange,
} from './ranges.ts'
export type { EtcdEvent } from './watch-stream.ts'
