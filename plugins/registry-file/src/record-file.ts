import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Node, parseNode } from '@micro/core/registry'
import { isMissing } from './errors.ts'

/** A node's record, and the moment (epoch milliseconds) at which it lapses unless renewed. */
export interface StoredNode {
  readonly node: Node
  readonly expires: number
}

/** Told apart from records by a name that no node can have: ids begin with a letter or digit. */
const temporaryPrefix = '.'
const suffix = '.json'
/** Milliseconds after which a temporary file must be that of a writer that died. */
const leftoverAge = 60_000

export function pathOf(root: string, node: Pick<Node, 'id' | 'service'>): string {
  return join(root, node.service, node.id + suffix)
}

export function isRecord(name: string): boolean {
  return name.endsWith(suffix) && !name.startsWith(temporaryPrefix)
}

export function idOf(name: string): string {
  return name.slice(0, -suffix.length)
}

/**
 * Writes beside the record and renames over it, so that readers see the old or the new one, whole.
 *
 * The expiry is a field of the file, not its times: those are coarse on some file systems and
 * change when a directory is copied.
 */
export async function writeRecord(root: string, { node, expires }: StoredNode): Promise<void> {
  const path = pathOf(root, node)
  const temporary = join(root, node.service, `${temporaryPrefix}${node.id}.${randomUUID()}`)
  await mkdir(join(root, node.service), { recursive: true, mode: 0o700 })
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(JSON.stringify({ ...node, expires }))
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** `undefined` for a file that is gone, too large, or not a record that belongs where it lies. */
export async function readRecord(
  path: string,
  service: string,
  id: string,
  limit: number,
): Promise<StoredNode | undefined> {
  try {
    const found = await stat(path)
    if (!found.isFile() || found.size > limit) return undefined
    const text = await readFile(path, 'utf8')
    const node = parseNode(text)
    if (node === undefined || node.service !== service || node.id !== id) return undefined
    const { expires } = JSON.parse(text) as { expires?: unknown }
    return typeof expires === 'number' ? { node, expires } : undefined
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/**
 * Removes a record whose time has long passed. It is moved aside first and looked at once more: had
 * its owner renewed it in that moment, it is put back.
 */
export async function removeLapsed(
  root: string,
  path: string,
  node: Pick<Node, 'id' | 'service'>,
  now: number,
): Promise<void> {
  const aside = join(root, node.service, `${temporaryPrefix}${node.id}.${randomUUID()}`)
  try {
    await rename(path, aside)
    const moved = await readRecord(aside, node.service, node.id, Number.POSITIVE_INFINITY)
    if (moved !== undefined && moved.expires > now) await rename(aside, path)
    else await rm(aside, { force: true })
  } catch (error) {
    // Another process was faster.
    if (!isMissing(error)) throw error
  }
}

export async function removeLeftover(path: string, now: number): Promise<void> {
  try {
    const { mtimeMs } = await stat(path)
    if (now - mtimeMs > leftoverAge) await rm(path, { force: true })
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}
