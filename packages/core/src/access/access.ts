import type { Account } from '../auth/auth.ts'
import type { AbortOptions, Component } from '../component/component.ts'

/** What is to be used: `{ type: 'service', name: 'greeter', endpoint: 'hello' }`. */
export interface Resource {
  /** Kind: `service`, `topic`, or one of your own. */
  readonly type: string
  /** The service's name, the topic's. */
  readonly name: string
  /** The method; for topics `publish` or `consume`. */
  readonly endpoint: string
}

export interface Rule {
  /** 1 to 128 letters, digits, `_`, `.`, `:` and `-`. */
  readonly id: string
  readonly access: 'allow' | 'deny'
  /** Who it is about: `''` everyone, `'*'` any account, else the accounts with this scope. */
  readonly scope: string
  /**
   * What it is about. Each part is exact, `*` for any, or ends in a `/*` that stands for whatever
   * follows: `/users/*` is `/users/7` and `/users/7/keys`, neither `/users` nor `/users-old/7`.
   */
  readonly resource: Resource
  /** The highest is asked first; among equals a denial. From -1,000,000 to 1,000,000. @default 0 */
  readonly priority?: number | undefined
}

export interface Decision {
  readonly allowed: boolean
  /** The one that decided. */
  readonly rule: Rule | undefined
  /**
   * `rule`: it says so. `declared`: none applies, and the definition says so. `default`: there are
   * rules, and none applies. `unconfigured`: there is no rule. `malformed`: the resource is written in a way that two readers could take differently.
   */
  readonly reason: 'rule' | 'declared' | 'default' | 'unconfigured' | 'malformed'
}

export interface Candidate {
  readonly rule: Rule
  /** `scope`: not for this account. `outranked`: another one was asked first. */
  readonly outcome: 'decides' | 'outranked' | 'scope'
}

export interface Explanation extends Decision {
  /** Every rule whose resource matches, in the order in which they are asked. */
  readonly candidates: readonly Candidate[]
  /** Rules about other resources. */
  readonly unmatched: number
}

/**
 * Rules on who may use what. How memory and real backends implement each member is written in the
 * README beside this file.
 */
export interface Access extends Component {
  readonly contract: 'access/0'
  /** Adds a rule, or replaces the one of its id. In force here at once, everywhere within a second. */
  grant(rule: Rule, options?: AbortOptions): Promise<void>
  /** Whether there was such a rule. */
  revoke(id: string, options?: AbortOptions): Promise<boolean>
  /** In the order in which they are asked. @throws `failed_precondition` before `connect`. */
  rules(): readonly Rule[]
  /**
   * From memory, without I/O. Text is compared exactly, upper and lower case differ.
   *
   * @throws `failed_precondition` before `connect`.
   */
  decide(account: Account | undefined, resource: Resource): Decision
  /** The same decision, and why. @throws `failed_precondition` before `connect`. */
  explain(account: Account | undefined, resource: Resource): Explanation
}
