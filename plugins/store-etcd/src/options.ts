import {
  checkPath,
  checkRange,
  type EtcdOptions,
  type EtcdSettings,
  settleEtcd,
} from '@micro/etcd-client'

export interface EtcdStoreOptions extends EtcdOptions {
  /** Separates stores in one etcd: keys begin with `/<namespace>/`. @default 'micro-store' */
  readonly namespace?: string
  /** Keys with changes that wait for a reader of a watch; with more it is told to list again. @default 10000 */
  readonly watchLimit?: number
  /**
   * Milliseconds, more or less a fifth, after which a watch begins anew where it was: one that has gone
   * silent is found out so. @default 60000
   */
  readonly watchInterval?: number
}

export interface Settings {
  readonly etcd: EtcdSettings
  /** What all keys begin with. */
  readonly root: string
  readonly watchLimit: number
  readonly watchInterval: number
}

const factory = 'etcdStore'

/** @throws `invalid_argument`, naming the option. */
export function settle(options: EtcdStoreOptions): Settings {
  const etcd = settleEtcd(factory, options, ['namespace', 'watchLimit', 'watchInterval'])
  const { namespace = 'micro-store', watchLimit = 10_000, watchInterval = 60_000 } = options
  return {
    etcd,
    root: `/${checkPath(factory, 'namespace', namespace)}/`,
    watchLimit: checkRange(factory, 'watchLimit', watchLimit, 1, 10_000_000),
    watchInterval: checkRange(factory, 'watchInterval', watchInterval, 100, 86_400_000),
  }
}
