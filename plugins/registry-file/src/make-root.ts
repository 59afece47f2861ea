import { lstat, mkdir } from 'node:fs/promises'
import { MicroError } from '@micro/core/errors'
import type { Settings } from './options.ts'

/**
 * Makes the directory of the namespace.
 *
 * The default one lies in a directory that every user of the machine may write to. Had another user
 * made it first, records in it could lead calls astray, so it must be this user's alone.
 *
 * @throws `permission_denied` for a default directory that others may write to.
 */
export async function makeRoot({ root, ownDirectory }: Settings): Promise<void> {
  await mkdir(root, { recursive: true, mode: 0o700 })
  const user = process.geteuid?.()
  if (ownDirectory === undefined || user === undefined) return
  const found = await lstat(ownDirectory)
  const writableByOthers = (found.mode & 0o022) !== 0
  if (found.isDirectory() && found.uid === user && !writableByOthers) return
  throw new MicroError(
    'permission_denied',
    `${ownDirectory} is not this user's alone: remove it, or set option directory`,
  )
}
