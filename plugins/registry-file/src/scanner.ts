import { lstat, readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Node } from '@micro/core/registry'
import { isMissing } from './errors.ts'
import { isName, type Settings } from './options.ts'
import {
  fileNameOf,
  isLongLapsed,
  isRecordName,
  isTemporaryName,
  readRecord,
  removeLapsed,
  removeLeftover,
  type StoredNode,
} from './record-file.ts'

/** Reads the directory, and remembers what it read. Files are named `<service>/<file>`. */
export interface Scanner {
  /**
   * Looks at all services, or at one, and reads the files that have changed.
   *
   * @throws what the file system says, if the namespace or that one service cannot be listed.
   */
  scan(service?: string): Promise<void>
  /** Reads these files, whatever they look like. */
  read(files: Iterable<string>): Promise<void>
  /**
   * The nodes alive now, by file. A node is the same object until its record says otherwise. What
   * would have lapsed is read once more: a renewal may not have been seen yet. What cannot be read
   * does not expire.
   */
  living(): Promise<Map<string, StoredNode>>
  /** What the latest scan, or a read since, could not read. */
  readonly problem: unknown
}

interface Entry {
  /** Another one after every write, since each is a new file that is renamed into place. */
  readonly stamp: string
  /** Not so fresh that another write might have left the same stamp. */
  readonly settled: boolean
  readonly stored: StoredNode | undefined
  /** Epoch milliseconds. */
  readonly readAt: number
  /** It cannot be read at present. What it said then still counts, as long as that lasts. */
  stale: boolean
}

/** Milliseconds; two seconds is the coarsest clock of a file system. */
const settlingTime = 2_000
/** Names that surely fit into one piece of a listing: 32 KiB, in all the libraries that are used. */
const atomicListing = 100
/** Files read at once, so that a large directory does not take all of the process's handles. */
const batchSize = 32

/** `onDirectory` is told of each directory before it is listed. */
export function createScanner(
  { root, maxRecordSize }: Settings,
  onDirectory: (path: string) => void = () => undefined,
): Scanner {
  const entries = new Map<string, Entry>()
  let problem: unknown

  const listServices = async (): Promise<string[]> => {
    onDirectory(root)
    try {
      const found = await readdir(root, { withFileTypes: true })
      return found.filter((entry) => entry.isDirectory()).map(({ name }) => name)
    } catch (error) {
      if (isMissing(error)) return []
      for (const entry of entries.values()) entry.stale = true
      problem = error
      throw error
    }
  }

  const listFiles = async (service: string): Promise<string[]> => {
    const directory = join(root, service)
    onDirectory(directory)
    try {
      const names = await namesIn(directory)
      await inBatches(names.filter(isTemporaryName), (name) =>
        removeLeftover(join(directory, name)),
      )
      return names.filter(isRecordName).map((name) => `${service}/${name}`)
    } catch (error) {
      if (isMissing(error)) return []
      problem ??= error
      return []
    }
  }

  const look = async (file: string, trustStamp: boolean): Promise<void> => {
    const path = join(root, file)
    const known = entries.get(file)
    const readAt = Date.now()
    try {
      const { ino, mtimeMs, mtimeNs, size, ...found } = await statOf(path)
      const stamp = `${ino} ${mtimeNs} ${size}`
      if (trustStamp && known?.stamp === stamp && known.settled && !known.stale) return
      const settled = Math.abs(readAt - Number(mtimeMs)) > settlingTime
      const read = found.isFile && size <= maxRecordSize ? await readRecord(path) : undefined
      const stored = belongs(file, read) ? withNodeOf(known?.stored, read) : undefined
      entries.set(file, { stamp, settled, stored, readAt, stale: false })
    } catch (error) {
      if (isMissing(error)) {
        entries.delete(file)
      } else {
        problem ??= error
        if (known !== undefined) known.stale = true
      }
    }
  }

  const readAll = (files: readonly string[]): Promise<void> =>
    inBatches(files, (file) => look(file, false))

  const tidy = async (file: string): Promise<void> => {
    if (isLongLapsed(entries.get(file)?.stored)) await removeLapsed(join(root, file))
  }

  return {
    get problem() {
      return problem
    },
    async scan(only) {
      problem = undefined
      const present = new Set<string>()
      const services = only === undefined ? await listServices() : [only]
      for (const service of services.filter(isName)) {
        const files = await listFiles(service)
        if (only !== undefined && problem !== undefined) throw problem
        for (const file of files) present.add(file)
        await inBatches(files, async (file) => {
          await look(file, true)
          await tidy(file)
        })
      }
      // A listing may fail, or leave out what is renamed meanwhile: gone is what is not found itself.
      const missed = [...entries.keys()].filter((file) => !present.has(file))
      await inBatches(missed, (file) => look(file, true))
    },
    async read(files) {
      await readAll([...files])
    },
    async living() {
      const now = Date.now()
      const lapsing = [...entries].filter(
        ([, { stored, stale, readAt }]) =>
          stored !== undefined && !stale && stored.expires <= now && readAt < stored.expires,
      )
      await readAll(lapsing.map(([file]) => file))
      const living = new Map<string, StoredNode>()
      for (const [file, { stored, stale }] of entries) {
        if (stored === undefined) continue
        if (stale) living.set(file, { node: stored.node, expires: Number.POSITIVE_INFINITY })
        else if (stored.expires > now) living.set(file, stored)
      }
      return living
    },
  }
}

/**
 * The kernel gives a long listing in pieces, and a record that is renewed between two of them may be
 * in neither. One that is missed twice would have to be renewed twice in these few milliseconds.
 */
async function namesIn(directory: string): Promise<string[]> {
  const names = await readdir(directory)
  if (names.length <= atomicListing) return names
  return [...new Set([...names, ...(await readdir(directory))])]
}

async function statOf(path: string) {
  const found = await lstat(path, { bigint: true })
  const { ino, mtimeMs, mtimeNs, size } = found
  return { ino, mtimeMs, mtimeNs, size, isFile: found.isFile() }
}

/** A record elsewhere than at its own path is a copy, or a name that was made up. */
function belongs(file: string, stored: StoredNode | undefined): stored is StoredNode {
  if (stored === undefined) return false
  const { service, id } = stored.node
  return service === dirname(file) && fileNameOf(id) === basename(file)
}

/** A renewal changes only the expiry: the node stays the same object, so that no one is told of it. */
function withNodeOf(known: StoredNode | undefined, stored: StoredNode): StoredNode {
  return known !== undefined && sameNode(known.node, stored.node)
    ? { node: known.node, expires: stored.expires }
    : stored
}

function sameNode(a: Node, b: Node): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += batchSize) {
    await Promise.all(items.slice(at, at + batchSize).map(work))
  }
}
