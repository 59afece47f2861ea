import type { AbortOptions } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import { createEnvelopes } from './envelope.ts'
import { type EncryptedStoreOptions, settleEncryption } from './options.ts'

export interface ReencryptOptions extends EncryptedStoreOptions, AbortOptions {
  /** Only keys that begin with it. @default '' */
  readonly prefix?: string
}

/**
 * Writes what older keys have encrypted anew with the first one, so that they can be forgotten. Records
 * that are changed meanwhile are left alone: who changed them encrypted them. Their versions change, what
 * is left of their ttl stays.
 *
 * @returns How many were written.
 * @throws `data_loss` for a record that none of the keys opens.
 */
export async function reencrypt(options: ReencryptOptions): Promise<number> {
  const { prefix = '', signal, ...rest } = options
  const { store, keys } = settleEncryption(rest)
  const envelopes = createEnvelopes(keys)
  const current = keys[0]?.id
  let written = 0
  for await (const record of store.list({ prefix, signal })) {
    if (envelopes.keyOf(record) === current) continue
    const { key, version, expiresAt, value, metadata } = envelopes.open(record)
    const left = expiresAt === undefined ? undefined : expiresAt - Date.now()
    if (left !== undefined && left < 1) continue
    try {
      const envelope = envelopes.seal(key, value, metadata)
      await store.write(key, envelope, { ttl: left, ifVersion: version, signal })
      written += 1
    } catch (error) {
      if (!MicroError.is(error, 'aborted')) throw error
    }
  }
  return written
}
