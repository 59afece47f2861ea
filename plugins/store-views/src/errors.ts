import { MicroError } from '@micro/core/errors'

/** What stands in the store below cannot be opened. */
export function wrongEnvelope(key: string, why: string, cause?: unknown): MicroError {
  return new MicroError('data_loss', `record ${JSON.stringify(key)} cannot be decrypted: ${why}`, {
    cause,
  })
}
