import { MicroError } from '@micro/core/errors'

/** Answers that say that there is nothing: no failure of the resolver. */
const empty = new Set(['ENOTFOUND', 'ENODATA'])

export function isEmpty(error: unknown): boolean {
  return empty.has(String((error as { code?: unknown }).code))
}

export function fromDns(cause: unknown, name: string): MicroError {
  const { code, message } = cause as { code?: unknown; message?: unknown }
  const what = typeof code === 'string' ? code : String(message ?? cause)
  return new MicroError('unavailable', `DNS told nothing of ${name}: ${what}`, {
    cause,
    processed: 'no',
  })
}
