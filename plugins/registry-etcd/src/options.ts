import { MicroError } from '@micro/core/errors'
import {
  checkPath,
  checkRange,
  type EtcdOptions,
  type EtcdSettings,
  settleEtcd,
} from '@micro/etcd-client'

/** A key below the namespace whose value cannot be used. */
export interface InvalidRecord {
  readonly key: string
  /** What is wrong with it; never its content. */
  readonly why: string
}

export interface EtcdRegistryOptions extends EtcdOptions {
  /** Separates fleets in one etcd: keys begin with `/<namespace>/`. @default 'micro' */
  readonly namespace?: string
  /**
   * `'go'` keeps records where and as services of the Go framework do, below
   * `/micro/register/<namespace>/`, so that both find each other. @default 'micro'
   */
  readonly layout?: 'micro' | 'go'
  /**
   * Milliseconds, more or less a fifth, between looks at all of what is watched, which find what no
   * watch told of. @default 60000
   */
  readonly relistInterval?: number
  /**
   * Milliseconds that watchers keep nodes which were gone after an outage, if that was more than half of
   * all: they were cut off as well, and are about to register again. 0 for not at all. @default 15000
   */
  readonly lossGrace?: number
  /** Bytes of a record: a larger one is refused, and passed over where it is found. @default 262144 */
  readonly maxRecordSize?: number
  /** Told once of each record that is passed over. @default in `health` only */
  readonly onInvalid?: (record: InvalidRecord) => void
}

export interface Settings {
  readonly etcd: EtcdSettings
  readonly namespace: string
  readonly layout: 'micro' | 'go'
  readonly relistInterval: number
  readonly lossGrace: number
  readonly maxRecordSize: number
  readonly onInvalid: (record: InvalidRecord) => void
}

const factory = 'etcdRegistry'
const own = ['namespace', 'layout', 'relistInterval', 'lossGrace', 'maxRecordSize', 'onInvalid']

/** @throws `invalid_argument`, naming the option. */
export function settle(options: EtcdRegistryOptions): Settings {
  const etcd = settleEtcd(factory, options, own)
  const { layout = 'micro', onInvalid = () => undefined } = options
  if (layout !== 'micro' && layout !== 'go') {
    throw wrong('layout', `is ${String(layout)}; give "micro" or "go"`)
  }
  if (typeof onInvalid !== 'function') throw wrong('onInvalid', 'is no function')
  return {
    etcd,
    namespace: checkPath(factory, 'namespace', options.namespace ?? 'micro'),
    layout,
    onInvalid,
    relistInterval: checkRange(
      factory,
      'relistInterval',
      options.relistInterval ?? 60_000,
      100,
      86_400_000,
    ),
    lossGrace: checkRange(factory, 'lossGrace', options.lossGrace ?? 15_000, 0, 86_400_000),
    maxRecordSize: checkRange(
      factory,
      'maxRecordSize',
      options.maxRecordSize ?? 262_144,
      1_024,
      2 ** 24,
    ),
  }
}

function wrong(name: string, why: string): MicroError {
  return new MicroError('invalid_argument', `${factory} option ${name} ${why}`)
}
