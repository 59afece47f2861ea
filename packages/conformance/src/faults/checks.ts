import { MicroError } from '@micro/core/errors'
import type { FaultableMethods } from './fault.ts'

const longest = 2 ** 31 - 1

/** @throws `invalid_argument` for what no timer takes. */
export function checkMilliseconds(field: string, value: number): void {
  if (value >= 0 && value <= longest) return
  throw refusal(field, `${value}; give milliseconds from 0 to 2^31 - 1`)
}

/** @throws `invalid_argument` for what is no whole number from `least` on. */
export function checkCount(field: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return
  throw refusal(field, `${value}; give a whole number from ${least} on`)
}

/** @throws `invalid_argument` for a method that is not among those that can be faulted. */
export function checkMethod(field: string, method: string, methods: FaultableMethods): void {
  if (methods.has(method)) return
  throw refusal(field, `"${method}"; what can be faulted here is ${[...methods.keys()].join(', ')}`)
}

export function refusal(field: string, problem: string): MicroError {
  return new MicroError('invalid_argument', `${field}: ${problem}`)
}
