import type { Health } from '../component/component.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { StoreRecord } from '../store/store.ts'
import type { Rule } from './access.ts'
import { checkRule } from './access-rules.ts'
import type { RuleIndex } from './rule-index.ts'

export const rulePrefix = 'rule/'

/** Takes records of a store over into an index. */
export interface RuleRecords {
  apply(key: string, record: StoreRecord | undefined): void
  /** What has just been written is read well. */
  forget(id: string): void
  /** The first that cannot be read, and why. */
  readonly unreadable: readonly [id: string, why: string] | undefined
  health(): Health
}

export function createRuleRecords(index: RuleIndex): RuleRecords {
  const unreadable = new Map<string, string>()
  return {
    apply(key, record) {
      const id = key.slice(rulePrefix.length)
      unreadable.delete(id)
      if (record === undefined) {
        index.delete(id)
        return
      }
      try {
        index.set(parseRule(id, record.value))
      } catch (error) {
        // The rule that was there before stays in force: dropping a denial would allow.
        unreadable.set(id, MicroError.is(error) ? error.detail : String(error))
      }
    },
    forget: (id) => unreadable.delete(id),
    get unreadable() {
      const [bad] = unreadable
      return bad
    },
    health() {
      const [bad] = unreadable
      if (bad === undefined) return { status: 'up' }
      return { status: 'degraded', detail: `rule ${bad[0]} as last known: ${bad[1]}` }
    },
  }
}

export function encodeRule({ id: _, ...rule }: Rule): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ schema: 1, ...rule }))
}

function parseRule(id: string, bytes: Uint8Array): Rule {
  const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  if (typeof parsed !== 'object' || parsed === null || !('schema' in parsed)) {
    throw new MicroError('data_loss', 'it is no rule')
  }
  if (parsed.schema !== 1) {
    throw new MicroError('data_loss', `schema ${String(parsed.schema)}; this version reads 1`)
  }
  return checkRule({ ...(parsed as unknown as Rule), id })
}
