import type { AbortOptions } from '@micro/core/component'
import {
  alreadyThere,
  type Condition,
  conflict,
  type StoreOperation,
  type Version,
} from '@micro/core/store'
import type { EtcdClient, EtcdConnection } from '@micro/etcd-client'
import { encodeContent } from './envelope.ts'
import type { Expiries } from './expiry.ts'

type Transaction = Parameters<EtcdClient['kv']['txn']>[0]
type Compare = NonNullable<Transaction['compare']>[number]
type Change = NonNullable<Transaction['success']>[number]
type Result = Awaited<ReturnType<EtcdClient['kv']['txn']>>

/** Makes changes, all of them or none. */
export interface Transactions {
  /** The version of each write; whether there was a record for each delete. */
  run(
    operations: readonly StoreOperation[],
    options: AbortOptions,
  ): Promise<readonly (Version | boolean | undefined)[]>
}

/** What no revision of etcd is, and so in no record. */
const noVersion = '-1'

export function createTransactions(
  connection: EtcdConnection,
  expiries: Expiries,
  root: string,
): Transactions {
  const nameOf = (key: string): Buffer => Buffer.from(`${root}${key}`)

  const compareOf = ({ key, ...condition }: StoreOperation): Compare[] => {
    const { ifVersion, ifAbsent } = condition as Condition
    if (ifAbsent === true) {
      return [{ key: nameOf(key), target: 'Create', result: 'Equal', create_revision: 0 }]
    }
    if (ifVersion === undefined) return []
    const revision = /^[1-9]\d{0,17}$/.test(ifVersion) ? ifVersion : noVersion
    return [{ key: nameOf(key), target: 'Mod', result: 'Equal', mod_revision: revision }]
  }
  const changeOf = async (
    operation: StoreOperation,
    signal: AbortSignal | undefined,
  ): Promise<Change[]> => {
    const key = nameOf(operation.key)
    if (operation.type === 'check') return []
    if (operation.type === 'delete') return [{ request_delete_range: { key } }]
    const { value, ttl, metadata = {} } = operation
    const expiry = ttl === undefined ? undefined : await expiries.of(ttl, signal)
    const content = { value, metadata, expiresAt: expiry?.expiresAt }
    const lease = expiry === undefined ? {} : { lease: expiry.lease }
    return [{ request_put: { key, value: encodeContent(content), ...lease } }]
  }

  return {
    async run(operations, { signal }) {
      const compare = operations.flatMap(compareOf)
      // Twice the same put is the same in the end; all else would meet, or report, its own work.
      const repeatable = compare.length === 0 && operations.every(({ type }) => type === 'write')
      const result = await expiries.use(async () => {
        const changes = await Promise.all(
          operations.map((operation) => changeOf(operation, signal)),
        )
        return await connection.request(
          (client, options) =>
            client.kv.txn(
              {
                compare,
                success: changes.flat(),
                // To tell whose condition it was.
                failure: compare.map(({ key }) => ({
                  request_range: { ...(key === undefined ? {} : { key }), keys_only: true },
                })),
              },
              options,
            ),
          { signal, repeatable },
        )
      })
      if (!result.succeeded) throw refusalOf(operations, result)
      return outcomesOf(operations, result)
    },
  }
}

function outcomesOf(
  operations: readonly StoreOperation[],
  { header, responses }: Result,
): (Version | boolean | undefined)[] {
  let at = 0
  return operations.map(({ type }) => {
    if (type === 'check') return undefined
    const response = responses[at++]
    return type === 'write'
      ? header.revision
      : Number(response?.response_delete_range.deleted ?? 0) > 0
  })
}

function refusalOf(operations: readonly StoreOperation[], { responses }: Result): Error {
  const conditional = operations.filter((operation) => {
    const { ifVersion, ifAbsent } = operation as Condition
    return ifVersion !== undefined || ifAbsent === true
  })
  for (const [at, operation] of conditional.entries()) {
    const { ifVersion } = operation as Condition
    const found = responses[at]?.response_range.kvs[0]
    if (ifVersion === undefined && found !== undefined) return alreadyThere(operation.key)
    if (ifVersion !== undefined && found?.mod_revision !== ifVersion) return conflict(operation.key)
  }
  return conflict(conditional[0]?.key ?? '')
}
