import { createHash, randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { MicroError } from '@micro/core/errors'
import { type Node, parseNode } from '@micro/core/registry'
import { isMissing, isPresent } from './errors.ts'
import type { Settings } from './options.ts'

/** A node's record, and the moment (epoch milliseconds) at which it lapses unless renewed. */
export interface StoredNode {
  readonly node: Node
  readonly expires: number
}

const suffix = '.json'
const recordPattern = /^[A-Za-z0-9].*\.json$/
/** Nothing else in the directory is ever removed: it may hold files of others. */
const temporaryPattern = /^\.micro-[0-9a-f-]{36}\.tmp$/
/** Longest name of a file, in bytes, on the usual file systems. */
const maxFileName = 255
/** Milliseconds after which a temporary file must be that of a writer that died. */
const leftoverAge = 60_000
/** Milliseconds beyond its expiry that the record of a crashed process is left lying. */
const grace = 15_000

export function fileNameOf(id: string): string {
  const name = id + suffix
  if (name.length <= maxFileName) return name
  // No id has a "~", so this is no other node's file.
  const hash = createHash('sha256').update(id).digest('hex')
  return `${id.slice(0, 128)}~${hash}${suffix}`
}

export function pathOf(root: string, node: Pick<Node, 'id' | 'service'>): string {
  return join(root, node.service, fileNameOf(node.id))
}

export function isRecordName(name: string): boolean {
  return recordPattern.test(name)
}

export function isTemporaryName(name: string): boolean {
  return temporaryPattern.test(name)
}

/**
 * Writes beside the record and renames over it, so that readers see the old or the new one, whole.
 *
 * The expiry is a field of the record, not its file's time: that is coarse on some file systems, is
 * set in a second step, and does not survive a copy.
 *
 * @throws `invalid_argument` for a record that readers would pass over for its size.
 */
export async function writeRecord(settings: Settings, stored: StoredNode): Promise<void> {
  const { root, maxRecordSize } = settings
  const { node, expires } = stored
  const text = JSON.stringify({ ...node, expires })
  if (Buffer.byteLength(text) > maxRecordSize) {
    throw new MicroError(
      'invalid_argument',
      `node ${node.id}: its record is larger than option maxRecordSize, ${maxRecordSize} bytes`,
    )
  }
  const path = pathOf(root, node)
  const temporary = join(dirname(path), temporaryName())
  const file = { flag: 'wx', mode: 0o600 }
  try {
    try {
      await writeFile(temporary, text, file)
    } catch (error) {
      if (!isMissing(error)) throw error
      // Only the first record of a service finds no directory; renewals save the look.
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      await writeFile(temporary, text, file)
    }
    await rename(temporary, path)
  } catch (error) {
    // The first failure tells more than one of tidying up; the file goes with the leftovers.
    await rm(temporary, { force: true }).catch(() => undefined)
    throw error
  }
}

/** `undefined` for text that is no record of ours. @throws what the file system says. */
export async function readRecord(path: string): Promise<StoredNode | undefined> {
  const text = await readFile(path, 'utf8')
  const node = parseNode(text)
  if (node === undefined) return undefined
  const { expires } = JSON.parse(text) as { expires?: unknown }
  return typeof expires === 'number' && Number.isFinite(expires) ? { node, expires } : undefined
}

export function isLongLapsed(stored: StoredNode | undefined): boolean {
  return stored !== undefined && stored.expires + grace < Date.now()
}

/**
 * Removes a record whose time has long passed, though not one that is renewed in that very moment:
 * it is read again, moved aside, read once more, and put back if it lives, unless its owner has
 * written an even newer one.
 */
export async function removeLapsed(path: string): Promise<void> {
  const aside = join(dirname(path), temporaryName())
  try {
    if (!isLongLapsed(await readRecord(path))) return
    await rename(path, aside)
    if (!isLongLapsed(await readRecord(aside))) await putBack(aside, path)
    await rm(aside, { force: true })
  } catch {
    // Another process was faster, or this one may only read here: who may remove it, will.
  }
}

export async function removeLeftover(path: string): Promise<void> {
  try {
    const { mtimeMs } = await stat(path)
    if (Date.now() - mtimeMs > leftoverAge) await rm(path, { force: true })
  } catch {
    // As above.
  }
}

async function putBack(aside: string, path: string): Promise<void> {
  try {
    await link(aside, path)
  } catch (error) {
    // Where there are no links, a rename is the next best.
    if (!isPresent(error)) await rename(aside, path)
  }
}

function temporaryName(): string {
  return `.micro-${randomUUID()}.tmp`
}
