import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly engines?: { readonly node?: string }
  readonly files?: readonly string[]
  readonly sideEffects?: boolean
  readonly exports?: Readonly<Record<string, string>>
  readonly publishConfig?: { readonly exports?: Readonly<Record<string, unknown>> }
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

export interface Member {
  /** `packages/core`. */
  readonly path: string
  readonly manifest: Manifest
  /** Source files relative to `path`, those under `src` only. */
  readonly sources: readonly string[]
}

/** The checkout as the rules see it: read once, changed by no one. */
export interface Workspace {
  readonly root: string
  readonly members: readonly Member[]
  /** The text of a file below the root; `undefined` if there is none. */
  read(path: string): string | undefined
  /** Names in the root, hidden ones included. */
  readonly topLevel: readonly string[]
}

export function readWorkspace(root: string): Workspace {
  const members = ['packages', 'plugins', 'examples'].flatMap((group) =>
    directories(join(root, group))
      .filter((name) => existsSync(join(root, group, name, 'package.json')))
      .map((name) => readMember(root, `${group}/${name}`)),
  )
  const read = (path: string): string | undefined =>
    existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined
  return { root, members, read, topLevel: readdirSync(root) }
}

function readMember(root: string, path: string): Member {
  const manifest = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')) as Manifest
  const src = join(root, path, 'src')
  const sources = existsSync(src)
    ? readdirSync(src, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
        .map((entry) => join(entry.parentPath, entry.name).slice(join(root, path).length + 1))
    : []
  return { path, manifest, sources: sources.sort() }
}

function directories(path: string): string[] {
  if (!existsSync(path)) return []
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
}
