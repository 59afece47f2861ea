import { staticComponent } from '../component/static-component.ts'
import { backoff } from '../component/timing.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Policy, PolicyCall } from './policy.ts'

export interface RetryPolicyOptions {
  /** Retries of an idempotent call that may have been processed. @default 2 */
  readonly retries?: number
  /** Milliseconds of the first wait at most; doubles, with full jitter. @default 25 */
  readonly baseDelay?: number
  /** Milliseconds that no wait exceeds. @default 1000 */
  readonly maxDelay?: number
  /** Retries allowed per call made, on average. @default 0.1 */
  readonly budget?: number
  /** Retries that may be saved up, and are there at the start. @default 100 */
  readonly budgetFloor?: number
}

/**
 * Proof that a request was not processed allows a retry on every other node, at once. Any other
 * retry needs an idempotent method, `unavailable` or an expired attempt, and a token of the budget:
 * each call earns a fraction of one, so that retries stay a small part of the load in an outage.
 */
export function retryPolicy(options: RetryPolicyOptions = {}): Policy {
  const limit = checked('retries', options.retries ?? 2, 0, 100)
  const base = checked('baseDelay', options.baseDelay ?? 25, 0, 60_000)
  const max = checked('maxDelay', options.maxDelay ?? 1_000, 0, 600_000)
  const budget = checked('budget', options.budget ?? 0.1, 0, 100)
  const floor = checked('budgetFloor', options.budgetFloor ?? 100, 0, 1_000_000)
  let tokens = floor

  const retriesOf = (call: PolicyCall): number =>
    call.idempotency === 'unknown' || call.context.retried
      ? 0
      : Math.min(limit, call.retries ?? limit)

  return {
    ...staticComponent('retry', 'policy/0'),
    begin() {
      if (tokens < floor) tokens = Math.min(floor, tokens + budget)
    },
    attemptTimeout(call, attempt) {
      // Where no other node is left, there is nothing to save time for.
      if (call.kind !== 'unary' || call.nodes < 2 || call.idempotency === 'unknown')
        return undefined
      const left = retriesOf(call) - (attempt - 1)
      if (left <= 0) return undefined
      const remaining = call.context.remaining()
      return remaining === Number.POSITIVE_INFINITY ? undefined : remaining / (left + 1)
    },
    retry(call, failure) {
      if (call.retries === 0) return undefined
      const unprocessed = failure.error.processed === 'no'
      // Once per node: the server has done no work, so trying the next one adds none.
      if (unprocessed && failure.untried > 0) return 0
      const allowed = unprocessed ? Math.min(limit, call.retries ?? limit) : retriesOf(call)
      if (failure.attempt > allowed) return undefined
      if (!failure.timedOut && failure.error.code !== 'unavailable') return undefined
      const wait = Math.max(
        backoff(failure.attempt - 1, { base, max }),
        failure.error.retryAfter ?? 0,
      )
      if (wait >= call.context.remaining() || tokens < 1) return undefined
      tokens -= 1
      return wait
    },
  }
}

function checked(field: string, value: number, least: number, most: number): number {
  if (value >= least && value <= most) return value
  throw new MicroError(
    'invalid_argument',
    `${field}: ${value}; give a number from ${least} to ${most}`,
  )
}
