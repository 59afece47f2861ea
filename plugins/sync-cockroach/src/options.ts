import { MicroError } from '@micro/core/errors'
import {
  checkNamespace,
  checkRange,
  checkTable,
  type SqlOptions,
  type SqlSettings,
  settleSql,
} from '@micro/sql-client'

export interface CockroachSyncOptions extends SqlOptions {
  /** Keeps systems apart in one set of tables. @default 'micro' */
  readonly namespace?: string
  /** What names of tables begin with, with a schema and a dot before it if need be. @default 'micro_sync' */
  readonly table?: string
  /** Makes the tables, and changes them with new versions; `false` only checks. @default true */
  readonly migrate?: boolean
  /** Milliseconds between looks of those who wait or observe, give or take a half. @default 200 */
  readonly pollInterval?: number
}

export interface Settings {
  readonly sql: SqlSettings
  readonly namespace: string
  readonly table: string
  readonly migrate: boolean
  readonly pollInterval: number
}

const factory = 'cockroachSync'

/** @throws `invalid_argument`, naming the option. */
export function settle(options: CockroachSyncOptions): Settings {
  const sql = settleSql(factory, options, ['namespace', 'table', 'migrate', 'pollInterval'])
  const { migrate = true, pollInterval = 200 } = options
  if (typeof migrate !== 'boolean') {
    throw new MicroError('invalid_argument', `${factory} option migrate is no boolean`)
  }
  return {
    sql,
    migrate,
    namespace: checkNamespace(factory, options.namespace ?? 'micro'),
    table: checkTable(factory, 'table', options.table ?? 'micro_sync'),
    pollInterval: checkRange(factory, 'pollInterval', pollInterval, 5, 60_000),
  }
}
