export type { Failure, Policy, PolicyCall } from './policy.ts'
export { retryPolicy, type RetryPolicyOptions } from './retry-policy.ts'
