import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { kindOfName, parseDocument } from '@micro/config-documents'
import type { ConfigTree } from '@micro/core/config'
import { MicroError } from '@micro/core/errors'
import { fromFile, isMissing } from './errors.ts'
import type { Settings } from './options.ts'
import { substitute } from './substitute.ts'

/** A document as it was read. */
interface Text {
  readonly path: string
  readonly text: string
}

/** All that was read, and a text that changes with it. */
export interface Content {
  readonly texts: readonly Text[]
  readonly fingerprint: string
}

/** @throws `unavailable`, `resource_exhausted`, `invalid_argument` naming the path. */
export async function readContent(
  settings: Settings,
  signal: AbortSignal | undefined,
): Promise<Content> {
  const budget = { left: settings.maxBytes }
  const texts: Text[] = []
  for (const path of await pathsOf(settings)) {
    signal?.throwIfAborted()
    try {
      texts.push({ path, text: await readText(path, settings, budget) })
    } catch (error) {
      // A fragment that was removed since the directory was read is no longer one.
      if (!isMissing(error) || path === settings.path) throw fromFile(error, path)
    }
  }
  return { texts, fingerprint: JSON.stringify(texts) }
}

export function toTree({ texts }: Content, settings: Settings): ConfigTree {
  const values: Record<string, unknown> = {}
  const origins: Record<string, string> = { '': settings.path }
  for (const { path, text } of texts) {
    const parsed = parseDocument(path, kindOfName(path) ?? 'yaml', text)
    const ready = settings.substitute ? substitute(parsed.values, settings.env, '') : parsed.values
    overlay(values, ready as Record<string, unknown>, 0)
    for (const [key, line] of parsed.lines) origins[key] = `${path}:${line}`
    for (const key of Object.keys(parsed.values)) origins[key] ??= path
  }
  return { values, origins }
}

/** Later fragments over earlier ones; core merges by the same rule, and refuses what is malicious. */
function overlay(
  into: Record<string, unknown>,
  from: Record<string, unknown>,
  depth: number,
): void {
  for (const [key, value] of Object.entries(from)) {
    const there = Object.hasOwn(into, key) ? into[key] : undefined
    if (isTree(there) && isTree(value) && depth < 64) {
      overlay(there, value, depth + 1)
    } else {
      const descriptor = { value, enumerable: true, configurable: true, writable: true }
      Object.defineProperty(into, key, descriptor)
    }
  }
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

async function pathsOf(settings: Settings): Promise<string[]> {
  const { path, optional } = settings
  try {
    if (!(await stat(path)).isDirectory()) {
      if (kindOfName(path) !== undefined) return [path]
      throw new MicroError('invalid_argument', `${path}: use .json, .yaml, .yml or .toml`)
    }
    // Hidden ones are editors' and Kubernetes' own; a name that ends in ~ has no known ending.
    const names = await readdir(path)
    const documents = names.filter(
      (name) => !name.startsWith('.') && kindOfName(name) !== undefined,
    )
    return documents.sort().map((name) => join(path, name))
  } catch (error) {
    if (optional && isMissing(error)) return []
    throw fromFile(error, path)
  }
}

async function readText(
  path: string,
  { maxBytes }: Settings,
  budget: { left: number },
): Promise<string> {
  await using handle = await open(path, 'r')
  const chunks: Buffer[] = []
  for (;;) {
    const chunk = Buffer.alloc(65_536)
    const { bytesRead } = await handle.read(chunk, 0, chunk.length)
    if (bytesRead === 0) break
    budget.left -= bytesRead
    if (budget.left < 0) {
      throw new MicroError('resource_exhausted', `${path}: more than ${maxBytes} bytes (maxBytes)`)
    }
    chunks.push(chunk.subarray(0, bytesRead))
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch (error) {
    throw new MicroError('invalid_argument', `${path}: it is no UTF-8`, { cause: error })
  }
}
