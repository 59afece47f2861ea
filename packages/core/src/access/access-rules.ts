import { MicroError } from '../errors/micro-error.ts'
import type { Resource, Rule } from './access.ts'

const resourceParts: readonly (keyof Resource)[] = ['type', 'name', 'endpoint']

const idFormat = /^[A-Za-z0-9_.:-]{1,128}$/
const scopeFormat = /^[\x21\x23-\x5b\x5d-\x7e]{0,128}$/
const plain = /^(?!.*\.\.)[A-Za-z0-9_~:@$+=,-][A-Za-z0-9_.~:@$+=,-]*$/
// Control, format and unassigned characters, separators of lines, and what escapes or globs.
const dubious = /[\p{C}\p{Zl}\p{Zp}\\%*?#]/u
const longest = 1_024

/**
 * Whether a part of a resource can be read in one way only. One that another reader might decode, fold
 * or shorten to something else is not matched against rules at all, so that it cannot slip by one.
 */
export function isClear(part: string): boolean {
  if (typeof part !== 'string' || part === '' || part.length > longest) return false
  if (plain.test(part)) return true
  if (!part.isWellFormed() || dubious.test(part) || part.normalize('NFKC') !== part) return false
  if (part !== part.trim()) return false
  if (part === '/') return true
  const segments = part.split('/')
  // An empty first segment is a leading slash.
  return segments.every((segment, at) =>
    segment === '' ? at === 0 : segment !== '.' && segment !== '..',
  )
}

/** The rule without what it should not have. @throws `invalid_argument` naming the field. */
export function checkRule(rule: Rule): Rule {
  const { id, access, scope, resource, priority } = rule
  if (typeof id !== 'string' || !idFormat.test(id)) {
    throw wrong('id', `${show(id)}; use 1 to 128 letters, digits, "_", ".", ":" and "-"`)
  }
  if (access !== 'allow' && access !== 'deny') {
    throw wrong('access', `${show(access)}; give 'allow' or 'deny'`)
  }
  if (typeof scope !== 'string' || !scopeFormat.test(scope)) {
    throw wrong('scope', `${show(scope)}; give '' for everyone, '*' for any account, or a scope`)
  }
  const wholePriority = priority === undefined || Number.isInteger(priority)
  if (!wholePriority || Math.abs(priority ?? 0) > 1_000_000) {
    throw wrong('priority', `${show(priority)}; give a whole number of at most 1000000 either way`)
  }
  for (const part of resourceParts) checkPattern(`resource.${part}`, resource?.[part])
  const { type, name, endpoint } = resource
  const known = { id, access, scope, resource: { type, name, endpoint } }
  return priority === undefined ? known : { ...known, priority }
}

/** The order in which rules are asked. */
export function compareRules(a: Rule, b: Rule): number {
  const byPriority = (b.priority ?? 0) - (a.priority ?? 0)
  if (byPriority !== 0) return byPriority
  if (a.access !== b.access) return a.access === 'deny' ? -1 : 1
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

function checkPattern(field: string, pattern: unknown): void {
  if (pattern === '*' || pattern === '/*') return
  const exact =
    typeof pattern === 'string' && pattern.endsWith('/*') ? pattern.slice(0, -2) : pattern
  if (typeof exact === 'string' && isClear(exact)) return
  throw wrong(
    field,
    `${show(pattern)}; give the exact text, "*", or a path that ends in "/*", without ".", "..", empty segments, "%", "\\" and control characters`,
  )
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 200)) : String(value)
}

function wrong(field: string, why: string): MicroError {
  return new MicroError('invalid_argument', `rule ${field}: ${why}`)
}
