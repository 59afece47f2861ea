import { MicroError } from '../errors/micro-error.ts'
import type { CampaignOptions, LockOptions } from './sync.ts'

export const defaultTtl = 15_000

/** Limits that every backend keeps. @throws `invalid_argument` naming the field. */
export function checkSyncKey(key: string): void {
  const fits = typeof key === 'string' && key.length >= 1 && key.length <= 255
  if (fits && key.isWellFormed() && !key.includes('\0')) return
  throw wrong('key', 'give 1 to 255 well-formed characters without U+0000')
}

export function checkLock({ ttl, wait }: LockOptions): void {
  if (ttl !== undefined && !(ttl >= 100 && ttl <= 86_400_000)) {
    throw wrong('ttl', `${ttl}; give milliseconds from 100 to 86400000`)
  }
  if (wait !== undefined && !(wait >= 0)) throw wrong('wait', `${wait}; give milliseconds from 0`)
}

export function checkCampaign(options: CampaignOptions): void {
  checkLock(options)
  const { id } = options
  if (id !== undefined && !(typeof id === 'string' && id.length >= 1 && id.length <= 512)) {
    throw wrong('id', 'give 1 to 512 characters')
  }
}

export function heldByAnother(subject: string, wait: number): MicroError {
  const waited = wait > 0 ? ` after ${wait} ms` : ''
  return new MicroError('aborted', `${subject} is held by another${waited}`)
}

function wrong(field: string, why: string): MicroError {
  return new MicroError('invalid_argument', `${field}: ${why}`)
}
