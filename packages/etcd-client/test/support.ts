import { MicroError } from '@micro/core/errors'
import {
  createConnection,
  type EtcdConnection,
  type EtcdOptions,
  settleEtcd,
} from '@micro/etcd-client'
import { afterEach } from 'vitest'

const opened: EtcdConnection[] = []
afterEach(() => {
  for (const connection of opened.splice(0)) connection.close()
})

/** A connection that is closed after the test. */
export function connect(options: EtcdOptions): EtcdConnection {
  const connection = createConnection(settleEtcd('test', options, []), 'test "etcd"')
  opened.push(connection)
  return connection
}

/** What the work rejects with. */
export async function failureOf(work: Promise<unknown>): Promise<MicroError> {
  const error = await work.then(
    () => new Error('it has not failed'),
    (reason: unknown) => reason,
  )
  if (MicroError.is(error)) return error
  throw error
}

export async function put(connection: EtcdConnection, key: string, value = ''): Promise<void> {
  await connection.request((client, options) =>
    client.kv.put({ key: Buffer.from(key), value: Buffer.from(value) }, options),
  )
}

/** Values to wait for, which something else tells. */
export function inbox<T>(): {
  push(value: T): void
  next(): Promise<T>
  until(done: (value: T) => boolean): Promise<T>
} {
  const values: T[] = []
  let wake = Promise.withResolvers<void>()
  const next = async (): Promise<T> => {
    for (;;) {
      const value = values.shift()
      if (value !== undefined) return value
      await wake.promise
    }
  }
  return {
    push(value) {
      values.push(value)
      wake.resolve()
      wake = Promise.withResolvers()
    },
    next,
    async until(done) {
      for (;;) {
        const value = await next()
        if (done(value)) return value
      }
    },
  }
}
