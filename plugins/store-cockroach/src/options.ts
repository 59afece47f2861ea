import type { Broker } from '@micro/core/broker'
import { MicroError } from '@micro/core/errors'
import {
  checkNamespace,
  checkRange,
  checkTable,
  refuser,
  type SqlOptions,
  type SqlSettings,
  settleSql,
} from '@micro/sql-client'

/** Hands messages of `commit` on to a broker. */
export interface OutboxOptions {
  /** Where they go. It stays its owner's: close it after the store. */
  readonly broker: Broker
  /** Milliseconds between looks for messages that other processes have committed. @default 500 */
  readonly pollInterval?: number
  /** Messages that are read at a time. @default 100 */
  readonly batch?: number
}

export interface CockroachStoreOptions extends SqlOptions {
  /** Keeps systems apart in one set of tables. @default 'micro' */
  readonly namespace?: string
  /** What names of tables begin with, with a schema and a dot before it if need be. @default 'micro_store' */
  readonly table?: string
  /** Makes the tables, and changes them with new versions; `false` only checks. @default true */
  readonly migrate?: boolean
  /** Milliseconds between looks for changes, while something is watched. @default 200 */
  readonly pollInterval?: number
  /** Milliseconds between looks for records that have lapsed; one instance does it. @default 1000 */
  readonly sweepInterval?: number
  /**
   * Milliseconds that changes are kept for watches, the same for all instances; at least four times
   * `timeout`. A watch that was cut off for half of it begins anew, with a `reset`. @default 600000
   */
  readonly history?: number
  /** Bytes of one value. @default 16777216 */
  readonly maxValueBytes?: number
  /** Relays what `commit` publishes. @default none: another instance does */
  readonly outbox?: OutboxOptions
}

export interface Settings {
  readonly sql: SqlSettings
  readonly namespace: string
  readonly table: string
  readonly migrate: boolean
  readonly pollInterval: number
  readonly sweepInterval: number
  readonly history: number
  readonly maxValueBytes: number
  readonly outbox: Required<OutboxOptions> | undefined
}

const factory = 'cockroachStore'
const ownNames = [
  'namespace',
  'table',
  'migrate',
  'pollInterval',
  'sweepInterval',
  'history',
  'maxValueBytes',
  'outbox',
]

/** @throws `invalid_argument`, naming the option. */
export function settle(options: CockroachStoreOptions): Settings {
  const sql = settleSql(factory, options, ownNames)
  const { migrate = true } = options
  if (typeof migrate !== 'boolean') {
    throw new MicroError('invalid_argument', `${factory} option migrate is no boolean`)
  }
  const whole = (name: string, value: number, least: number, most = 2 ** 31 - 1): number =>
    checkRange(factory, name, value, least, most)
  return {
    sql,
    namespace: checkNamespace(factory, options.namespace ?? 'micro'),
    table: checkTable(factory, 'table', options.table ?? 'micro_store'),
    migrate,
    pollInterval: whole('pollInterval', options.pollInterval ?? 200, 5),
    sweepInterval: whole('sweepInterval', options.sweepInterval ?? 1_000, 5),
    history: whole(
      'history',
      options.history ?? Math.max(600_000, 4 * sql.timeout),
      4 * sql.timeout,
    ),
    maxValueBytes: whole('maxValueBytes', options.maxValueBytes ?? 2 ** 24, 1, 2 ** 27),
    outbox: options.outbox === undefined ? undefined : settleOutbox(options.outbox),
  }
}

function settleOutbox(outbox: OutboxOptions): Required<OutboxOptions> {
  const refuse = refuser(factory)
  for (const name of Object.keys(outbox)) {
    if (['broker', 'pollInterval', 'batch'].includes(name)) continue
    refuse(`outbox.${name}`, 'is unknown; known are broker, pollInterval, batch')
  }
  const { broker, pollInterval = 500, batch = 100 } = outbox
  if (broker?.contract !== 'broker/0') refuse('outbox.broker', 'is no broker of contract broker/0')
  return {
    broker,
    pollInterval: checkRange(factory, 'outbox.pollInterval', pollInterval, 5, 2 ** 31 - 1),
    batch: checkRange(factory, 'outbox.batch', batch, 1, 1_000),
  }
}
