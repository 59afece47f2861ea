import type { Account } from '../auth/auth.ts'
import type { Resource, Rule } from './access.ts'
import { compareRules } from './access-rules.ts'

/** Rules on one pattern of resource, by scope, each list in the order in which it is asked. */
type Bucket = Map<string, Rule[]>

/** Finds the rules about a resource by a few look-ups, however many there are. */
export class RuleIndex {
  readonly #rules = new Map<string, Rule>()
  readonly #types = new Patterns<Patterns<Patterns<Bucket>>>()

  get size(): number {
    return this.#rules.size
  }

  all(): Rule[] {
    return [...this.#rules.values()].sort(compareRules)
  }

  has(id: string): boolean {
    return this.#rules.has(id)
  }

  /** Adds, or replaces the one of its id. */
  set(rule: Rule): void {
    this.delete(rule.id)
    this.#rules.set(rule.id, rule)
    const { type, name, endpoint } = rule.resource
    const names = this.#types.at(type, () => new Patterns<Patterns<Bucket>>())
    const endpoints = names.at(name, () => new Patterns<Bucket>())
    const bucket = endpoints.at(endpoint, () => new Map())
    const rules = bucket.get(rule.scope)
    if (rules === undefined) bucket.set(rule.scope, [rule])
    else rules.splice(placeOf(rules, rule), 0, rule)
  }

  delete(id: string): boolean {
    const rule = this.#rules.get(id)
    if (rule === undefined) return false
    this.#rules.delete(id)
    const { type, name, endpoint } = rule.resource
    const names = this.#types.get(type)
    const endpoints = names?.get(name)
    const bucket = endpoints?.get(endpoint)
    const rules = bucket?.get(rule.scope)
    rules?.splice(placeOf(rules, rule), 1)
    if (rules?.length === 0) bucket?.delete(rule.scope)
    if (bucket?.size === 0) endpoints?.remove(endpoint)
    if (endpoints?.size === 0) names?.remove(name)
    if (names?.size === 0) this.#types.remove(type)
    return true
  }

  /** The first of those that apply. */
  first(account: Account | undefined, resource: Resource): Rule | undefined {
    let first: Rule | undefined
    for (const bucket of this.#buckets(resource)) {
      first = firstOf(first, bucket.get(''))
      if (account === undefined) continue
      first = firstOf(first, bucket.get('*'))
      for (const scope of account.scopes) first = firstOf(first, bucket.get(scope))
    }
    return first
  }

  /** All whose resource matches, in the order in which they are asked. */
  about(resource: Resource): Rule[] {
    const found = this.#buckets(resource).flatMap((bucket) => [...bucket.values()].flat())
    return found.sort(compareRules)
  }

  #buckets({ type, name, endpoint }: Resource): Bucket[] {
    const found: Bucket[] = []
    for (const names of this.#types.matching(type)) {
      for (const endpoints of names.matching(name)) {
        for (const bucket of endpoints.matching(endpoint)) found.push(bucket)
      }
    }
    return found
  }
}

/** Values by pattern: exact, a path's beginning, or any. */
class Patterns<T> {
  readonly #exact = new Map<string, T>()
  /** By the beginning, its slash included. */
  readonly #below = new Map<string, T>()
  #any: T | undefined

  get size(): number {
    return this.#exact.size + this.#below.size + (this.#any === undefined ? 0 : 1)
  }

  get(pattern: string): T | undefined {
    if (pattern === '*') return this.#any
    return pattern.endsWith('/*') ? this.#below.get(pattern.slice(0, -1)) : this.#exact.get(pattern)
  }

  at(pattern: string, make: () => T): T {
    const found = this.get(pattern)
    if (found !== undefined) return found
    const made = make()
    if (pattern === '*') this.#any = made
    else if (pattern.endsWith('/*')) this.#below.set(pattern.slice(0, -1), made)
    else this.#exact.set(pattern, made)
    return made
  }

  remove(pattern: string): void {
    if (pattern === '*') this.#any = undefined
    else if (pattern.endsWith('/*')) this.#below.delete(pattern.slice(0, -1))
    else this.#exact.delete(pattern)
  }

  matching(text: string): T[] {
    const found: T[] = []
    const exact = this.#exact.get(text)
    if (exact !== undefined) found.push(exact)
    if (this.#any !== undefined) found.push(this.#any)
    if (this.#below.size === 0) return found
    for (let slash = text.indexOf('/'); slash >= 0; slash = text.indexOf('/', slash + 1)) {
      const below = this.#below.get(text.slice(0, slash + 1))
      // The beginning alone is not below itself.
      if (below !== undefined && slash + 1 < text.length) found.push(below)
    }
    return found
  }
}

function firstOf(best: Rule | undefined, rules: readonly Rule[] | undefined): Rule | undefined {
  const rule = rules?.[0]
  if (rule === undefined || best === undefined) return rule ?? best
  return compareRules(rule, best) < 0 ? rule : best
}

/** Where the rule is, or belongs, by bisection. */
function placeOf(rules: readonly Rule[], rule: Rule): number {
  let low = 0
  let high = rules.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareRules(rules[middle] as Rule, rule) < 0) low = middle + 1
    else high = middle
  }
  return low
}
