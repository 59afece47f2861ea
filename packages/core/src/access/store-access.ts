import { createLifecycle } from '../component/lifecycle.ts'
import { MicroError } from '../errors/micro-error.ts'
import { namespacedStore } from '../store/namespaced-store.ts'
import type { Store } from '../store/store.ts'
import type { Access, Decision } from './access.ts'
import { checkRule, isClear } from './access-rules.ts'
import { createRuleFeed, encodeRule, ruleKey } from './rule-feed.ts'
import { RuleIndex } from './rule-index.ts'

export interface StoreAccessOptions {
  /** Where the rules are kept; share one between instances. It stays its owner's. */
  readonly store: Store
  /** Part of the store that they are kept in. @default 'access' */
  readonly namespace?: string
  /** Deny while there is no rule at all. @default false: all is allowed then */
  readonly defaultDeny?: boolean
  /** Milliseconds between looks for changes, where the store has no watch. @default 500 */
  readonly interval?: number
  /** Rules that are kept. @default 100000 */
  readonly limit?: number
}

/** Rules in any store, with an index of all of them in memory: a decision does no I/O. */
export function storeAccess(options: StoreAccessOptions): Access {
  const { namespace = 'access', defaultDeny = false, interval = 500, limit = 100_000 } = options
  whole('interval', interval, 10, 86_400_000)
  whole('limit', limit, 1, 10_000_000)
  const store = namespacedStore({ store: options.store, namespace })
  const index = new RuleIndex()
  const feed = createRuleFeed({ store, index, interval })
  const opening = new AbortController()
  const lifecycle = createLifecycle({
    label: `access "${store.name}"`,
    open: () => feed.start({ signal: opening.signal }),
    close() {
      opening.abort(new MicroError('failed_precondition', `access "${store.name}" is closed`))
      return feed.stop()
    },
  })

  const requireRules = (): void => {
    if (lifecycle.opened) return
    throw new MicroError(
      'failed_precondition',
      lifecycle.closed ? `access "${store.name}" is closed` : 'connect the access first',
    )
  }
  const decide: Access['decide'] = (account, resource) => {
    requireRules()
    const { type, name, endpoint } = resource
    if (!isClear(type) || !isClear(name) || !isClear(endpoint)) return malformed
    if (index.size === 0) return defaultDeny ? denied : unconfigured
    const rule = index.first(account, resource)
    return rule === undefined ? denied : { allowed: rule.access === 'allow', rule, reason: 'rule' }
  }

  return {
    name: store.name,
    contract: 'access/0',
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health() {
      if (lifecycle.closed) return { status: 'down' }
      const below = store.health()
      if (below.status === 'up') return feed.health()
      return { status: 'degraded', detail: `rules as last known: ${below.detail ?? below.status}` }
    },

    async grant(rule, grantOptions) {
      const checked = checkRule(rule)
      await lifecycle.connect(grantOptions)
      if (index.size >= limit && !index.has(checked.id)) {
        throw new MicroError(
          'resource_exhausted',
          `${index.size} rules are kept, of at most ${limit} (limit)`,
        )
      }
      const version = await store.write(ruleKey(checked.id), encodeRule(checked), grantOptions)
      feed.written(checked, version)
    },

    async revoke(id, revokeOptions) {
      await lifecycle.connect(revokeOptions)
      const there = await store.delete(ruleKey(id), revokeOptions)
      feed.deleted(id)
      return there
    },

    rules() {
      requireRules()
      return index.all()
    },

    decide,

    explain(account, resource) {
      const decision = decide(account, resource)
      if (decision.reason === 'malformed') {
        return { ...decision, candidates: [], unmatched: index.size }
      }
      const scopes = new Set(account === undefined ? [''] : ['', '*', ...account.scopes])
      const about = index.about(resource)
      return {
        ...decision,
        candidates: about.map((rule) => ({
          rule,
          outcome:
            rule === decision.rule ? 'decides' : scopes.has(rule.scope) ? 'outranked' : 'scope',
        })),
        unmatched: index.size - about.length,
      }
    },
  }
}

const denied: Decision = { allowed: false, rule: undefined, reason: 'default' }
const unconfigured: Decision = { allowed: true, rule: undefined, reason: 'unconfigured' }
const malformed: Decision = { allowed: false, rule: undefined, reason: 'malformed' }

function whole(field: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw new MicroError(
    'invalid_argument',
    `${field}: ${value}; give a whole number from ${least} to ${most}`,
  )
}
