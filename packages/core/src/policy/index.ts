export type { Failure, Policy, PolicyCall } from './policy.ts'
export { type RetryPolicyOptions, retryPolicy } from './retry-policy.ts'
