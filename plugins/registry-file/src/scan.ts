import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Node } from '@micro/core/registry'
import { isMissing } from './errors.ts'
import type { Settings } from './options.ts'
import {
  idOf,
  isRecord,
  readRecord,
  removeLapsed,
  removeLeftover,
  type StoredNode,
} from './record-file.ts'

/** What a scan remembers, so that the next one reads only files that have changed. */
export interface ScanMemory {
  readonly files: Map<string, { readonly stamp: string; readonly stored: StoredNode | undefined }>
}

/** Milliseconds beyond its expiry that a record of a crashed process is left lying. */
const grace = 15_000

/** The living nodes of all services, by path; files that no one needs any more are removed. */
export async function scan(
  settings: Settings,
  memory: ScanMemory,
): Promise<Map<string, StoredNode>> {
  const living = new Map<string, StoredNode>()
  const seen = new Set<string>()
  for (const service of await directories(settings.root)) {
    for (const name of await entries(join(settings.root, service))) {
      const path = join(settings.root, service, name)
      const now = Date.now()
      if (!isRecord(name)) {
        await removeLeftover(path, now)
        continue
      }
      seen.add(path)
      const stored = await remembered(path, service, idOf(name), settings, memory)
      if (stored === undefined) continue
      if (stored.expires > now) living.set(path, stored)
      else if (stored.expires + grace < now)
        await removeLapsed(settings.root, path, stored.node, now)
    }
  }
  for (const path of memory.files.keys()) if (!seen.has(path)) memory.files.delete(path)
  return living
}

async function remembered(
  path: string,
  service: string,
  id: string,
  settings: Settings,
  memory: ScanMemory,
): Promise<StoredNode | undefined> {
  const stamp = await stampOf(path)
  if (stamp === undefined) return undefined
  const known = memory.files.get(path)
  if (known?.stamp === stamp) return known.stored
  const stored = await readRecord(path, service, id, settings.maxRecordSize)
  memory.files.set(path, { stamp, stored })
  return stored
}

/** Changes with every write: each one is a new file that is renamed into place. */
async function stampOf(path: string): Promise<string | undefined> {
  try {
    const { ino, mtimeNs, size } = await stat(path, { bigint: true })
    return `${ino} ${mtimeNs} ${size}`
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

async function directories(root: string): Promise<string[]> {
  try {
    const all = await readdir(root, { withFileTypes: true })
    return all.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

async function entries(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

/** Whether two records tell readers the same; renewals change only the expiry. */
export function sameNode(a: Node, b: Node): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
