import { MicroError } from '../errors/micro-error.ts'
import type { ConfigTree } from './config-source.ts'
import { isTree } from './paths.ts'

/** Levels of nesting, and values in all, that a source may have. */
const depthLimit = 64
const valueLimit = 100_000

/** Keys through which a document could reach into prototypes. */
const forbidden = new Set(['__proto__', 'constructor', 'prototype'])

export interface Layer {
  readonly source: string
  readonly tree: ConfigTree
}

/** Who said what about one path; the last one counts. */
export interface Statement {
  readonly source: string
  readonly origin: string
  readonly value: unknown
}

export interface Merged {
  readonly values: Readonly<Record<string, unknown>>
  /** By path of every leaf, in the order of the sources. */
  readonly statements: ReadonlyMap<string, readonly Statement[]>
}

/**
 * Later layers win. Trees are merged key by key; arrays and all else are replaced as a whole, and
 * `undefined` says nothing.
 *
 * @throws `invalid_argument` naming source and path of a key that is not allowed;
 * `resource_exhausted` for documents beyond the limits.
 */
export function merge(layers: readonly Layer[]): Merged {
  const values: Record<string, unknown> = {}
  const statements = new Map<string, Statement[]>()
  for (const { source, tree } of layers) {
    let count = 0
    const guard = (path: string, depth: number): void => {
      count += 1
      if (depth <= depthLimit && count <= valueLimit) return
      const what = depth > depthLimit ? `${depthLimit} levels` : `${valueLimit} values`
      throw new MicroError('resource_exhausted', `${path} of ${source}: more than ${what}`)
    }
    const lay = (
      from: Readonly<Record<string, unknown>>,
      into: Record<string, unknown>,
      above: string,
      origin: string,
      depth: number,
    ): void => {
      for (const [key, value] of Object.entries(from)) {
        const path = above === '' ? key : `${above}.${key}`
        guard(path, depth)
        if (forbidden.has(key)) {
          throw new MicroError('invalid_argument', `${path} of ${source}: no key may be called so`)
        }
        if (value === undefined) continue
        const here = tree.origins?.[path] ?? origin
        if (isTree(value)) {
          const inner = into[key]
          const next: Record<string, unknown> = isTree(inner) ? inner : {}
          if (next !== inner) clearBelow(statements, path)
          into[key] = next
          lay(value, next, path, here, depth + 1)
        } else {
          clearBelow(statements, path)
          into[key] = copy(value, (levels) => guard(path, depth + levels))
          const said = statements.get(path) ?? []
          said.push({ source, origin: here, value: into[key] })
          statements.set(path, said)
        }
      }
    }
    lay(tree.values, values, '', tree.origins?.[''] ?? source, 1)
  }
  return { values, statements }
}

/** What was said below a path no longer counts once the path has another kind of value. */
function clearBelow(statements: Map<string, Statement[]>, path: string): void {
  for (const known of statements.keys()) {
    if (known.startsWith(`${path}.`)) statements.delete(known)
  }
}

/** Arrays are copied too, so that a source that changes its own later changes nothing here. */
function copy(value: unknown, guard: (levels: number) => void, levels = 1): unknown {
  if (Array.isArray(value)) {
    return value.map((item: unknown) => {
      guard(levels)
      return copy(item, guard, levels + 1)
    })
  }
  if (!isTree(value)) return value
  const made: Record<string, unknown> = {}
  for (const [key, inner] of Object.entries(value)) {
    guard(levels)
    if (forbidden.has(key)) throw new MicroError('invalid_argument', `no key may be called ${key}`)
    made[key] = copy(inner, guard, levels + 1)
  }
  return made
}
