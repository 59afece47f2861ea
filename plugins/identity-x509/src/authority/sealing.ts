import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  randomBytes,
  scrypt,
  timingSafeEqual,
} from 'node:crypto'
import { promisify } from 'node:util'
import { MicroError } from '@micro/core/errors'

const nonceSize = 12
const tagSize = 16

const derive = promisify<string, Uint8Array, number, object, Buffer>(scrypt)

/** AES-256 by a key that scrypt makes of the secret: slow to guess, and asked for once. */
export interface Sealing {
  seal(text: string): string
  /** @throws `data_loss` for what another secret has sealed, or somebody has changed. */
  open(sealed: string): string
}

export async function createSealing(secret: string, salt: string): Promise<Sealing> {
  const key = await derive(secret, Buffer.from(salt, 'base64'), 32, {
    N: 2 ** 15,
    r: 8,
    p: 1,
    maxmem: 2 ** 26,
  })
  return {
    seal(text) {
      const nonce = randomBytes(nonceSize)
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      const bytes = [cipher.update(text, 'utf8'), cipher.final()]
      return Buffer.concat([nonce, ...bytes, cipher.getAuthTag()]).toString('base64')
    },
    open(sealed) {
      const bytes = Buffer.from(sealed, 'base64')
      try {
        const cipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceSize))
        cipher.setAuthTag(bytes.subarray(-tagSize))
        const text = cipher.update(bytes.subarray(nonceSize, -tagSize))
        return Buffer.concat([text, cipher.final()]).toString()
      } catch (cause) {
        throw new MicroError(
          'data_loss',
          'what the authority keeps cannot be read: the secret is another one, or it was changed',
          { cause },
        )
      }
    },
  }
}

export function proofOf(secret: string, ...parts: readonly string[]): string {
  return createHmac('sha256', secret).update(parts.join('\n')).digest('base64')
}

/** In a time that does not depend on where they differ. */
export function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(String(one)), Buffer.from(String(other))]
  return a.length === b.length && timingSafeEqual(a, b)
}
