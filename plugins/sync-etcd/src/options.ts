import { checkPath, type EtcdOptions, type EtcdSettings, settleEtcd } from '@micro/etcd-client'

export interface EtcdSyncOptions extends EtcdOptions {
  /** Separates systems in one etcd: keys begin with `/<namespace>/`. @default 'micro-sync' */
  readonly namespace?: string
}

export interface Settings {
  readonly etcd: EtcdSettings
  readonly namespace: string
}

/** @throws `invalid_argument`, naming the option. */
export function settle(options: EtcdSyncOptions): Settings {
  return {
    etcd: settleEtcd('etcdSync', options, ['namespace']),
    namespace: checkPath('etcdSync', 'namespace', options.namespace ?? 'micro-sync'),
  }
}
