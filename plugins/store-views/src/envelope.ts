import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { StoreRecord } from '@micro/core/store'
import { wrongEnvelope } from './errors.ts'
import type { EncryptionKey } from './options.ts'

/** Writes and reads what stands in the store below, as the README says. */
export interface Envelopes {
  /** For the key of a record, of its value and its metadata. */
  seal(key: string, value: Uint8Array, metadata: Readonly<Record<string, string>>): Uint8Array
  /** @throws `data_loss` if it is not what was sealed for that key, or by a key that is not there. */
  open(record: StoreRecord): StoreRecord
  /** The id of the key that sealed it. @throws `data_loss` */
  keyOf(record: StoreRecord): string
}

const version = 1
const nonceSize = 12
const tagSize = 16

export function createEnvelopes(keys: readonly EncryptionKey[]): Envelopes {
  // Copied, so that whoever wipes his own bytes does not wipe these.
  const known = new Map(keys.map(({ id, key }) => [id, Buffer.from(key)]))
  const [first] = keys
  if (first === undefined) throw new TypeError('there is no key')
  const { id } = first
  const head = Buffer.concat([Buffer.of(version, id.length), Buffer.from(id)])

  const headOf = ({ key, value }: StoreRecord): Buffer => {
    const size = 2 + (value[1] ?? 0)
    if (value[0] !== version || value.length < size + nonceSize + tagSize) {
      throw wrongEnvelope(key, 'it is no envelope of this kind')
    }
    return Buffer.from(value.buffer, value.byteOffset, size)
  }

  return {
    seal(key, value, metadata) {
      const nonce = randomBytes(nonceSize)
      const cipher = createCipheriv('aes-256-gcm', known.get(id) ?? '', nonce)
      cipher.setAAD(boundTo(head, key))
      const names = Buffer.from(Object.keys(metadata).length === 0 ? '' : JSON.stringify(metadata))
      const size = Buffer.alloc(4)
      size.writeUInt32BE(names.length)
      return Buffer.concat([
        head,
        nonce,
        cipher.update(size),
        cipher.update(names),
        cipher.update(value),
        cipher.final(),
        cipher.getAuthTag(),
      ])
    },
    open(record) {
      const { key, value } = record
      const start = headOf(record)
      const name = start.subarray(2).toString()
      const secret = known.get(name)
      if (secret === undefined) {
        throw wrongEnvelope(key, `key ${JSON.stringify(name)} is not among the keys given`)
      }
      const sealed = Buffer.from(
        value.buffer,
        value.byteOffset + start.length,
        value.length - start.length,
      )
      const decipher = createDecipheriv('aes-256-gcm', secret, sealed.subarray(0, nonceSize), {
        authTagLength: tagSize,
      })
      decipher.setAAD(boundTo(start, key))
      decipher.setAuthTag(sealed.subarray(-tagSize))
      const plain = decipher.update(sealed.subarray(nonceSize, -tagSize))
      try {
        decipher.final()
      } catch (error) {
        throw wrongEnvelope(key, 'it was tampered with, moved, or sealed with another key', error)
      }
      const size = plain.readUInt32BE(0)
      const names = plain.subarray(4, 4 + size).toString()
      return {
        ...record,
        value: new Uint8Array(plain.subarray(4 + size)),
        metadata: names === '' ? {} : (JSON.parse(names) as Record<string, string>),
      }
    },
    keyOf: (record) => headOf(record).subarray(2).toString(),
  }
}

/** Binds an envelope to its own head and to the key of its record. */
function boundTo(head: Buffer, key: string): Buffer {
  return Buffer.concat([head, Buffer.from(key)])
}
