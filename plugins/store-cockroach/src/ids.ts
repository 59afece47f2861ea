import { randomBytes } from 'node:crypto'
import type { Version } from '@micro/core/store'

/**
 * Makes ids of changes, which are versions of records too: most of one is this maker's own, the rest
 * counts, so that they never come again and lie side by side in an index.
 */
export function createIds(): () => Version {
  const own = randomBytes(10).toString('hex')
  const begin = `${own.slice(0, 8)}-${own.slice(8, 12)}-${own.slice(12, 16)}-${own.slice(16)}-`
  let count = 0
  return () => begin + (++count).toString(16).padStart(12, '0')
}

/** Whether a version can be one of this store's at all; others no record has. */
export function isVersion(version: Version): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(version)
}
