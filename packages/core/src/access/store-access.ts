import { createLifecycle } from '../component/lifecycle.ts'
import { MicroError } from '../errors/micro-error.ts'
import { namespacedStore } from '../store/namespaced-store.ts'
import type { Store } from '../store/store.ts'
import { createStoreMirror } from '../store/store-mirror.ts'
import type { Access, Decision } from './access.ts'
import { checkRule, isClear } from './access-rules.ts'
import { RuleIndex } from './rule-index.ts'
import { createRuleRecords, encodeRule, rulePrefix } from './rule-records.ts'

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
  const records = createRuleRecords(index)
  const mirror = createStoreMirror({ store, prefix: rulePrefix, interval, apply: records.apply })
  const opening = new AbortController()
  const lifecycle = createLifecycle({
    label: `access "${store.name}"`,
    async open() {
      await mirror.start({ signal: opening.signal })
      const { unreadable } = records
      if (unreadable === undefined) return
      await mirror.stop()
      throw new MicroError(
        'data_loss',
        `rule ${unreadable[0]} cannot be read: ${unreadable[1]}; mend it, and connect a new access`,
      )
    },
    close() {
      opening.abort(new MicroError('failed_precondition', `access "${store.name}" is closed`))
      return mirror.stop()
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
      const health = mirror.health()
      return health.status === 'up' ? records.health() : health
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
      const version = await store.write(rulePrefix + checked.id, encodeRule(checked), grantOptions)
      mirror.touched(rulePrefix + checked.id, version)
      records.forget(checked.id)
      index.set(checked)
    },

    async revoke(id, revokeOptions) {
      await lifecycle.connect(revokeOptions)
      const there = await store.delete(rulePrefix + id, revokeOptions)
      mirror.touched(rulePrefix + id, undefined)
      records.forget(id)
      index.delete(id)
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
