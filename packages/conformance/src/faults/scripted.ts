import { checkCount, checkMethod, checkMilliseconds, refusal } from './checks.ts'
import type { Fault, FaultPlan, Injection } from './fault.ts'

/**
 * Exactly these faults, for tests of one situation. What a component has `injected` is such a list, so
 * what chance has found can be played again.
 *
 * @throws `invalid_argument` naming the entry.
 */
export function scripted(script: readonly Injection[]): FaultPlan {
  const faults = new Map<string, Fault>()
  for (const [at, entry] of script.entries()) {
    checkCount(`script[${at}].call`, entry.call, 1)
    checkAmount(`script[${at}]`, entry)
    const place = placeOf(entry.method, entry.call)
    if (faults.has(place)) {
      throw refusal(`script[${at}]`, `${place} has a fault already; give each call one at most`)
    }
    faults.set(place, entry)
  }
  return {
    start(methods) {
      for (const [at, { method, kind }] of script.entries()) {
        checkMethod(`script[${at}].method`, method, methods)
        const possible = methods.get(method) ?? []
        if (possible.includes(kind)) continue
        throw refusal(
          `script[${at}].kind`,
          `"${kind}" cannot happen to ${method}; use one of ${possible.join(', ')}`,
        )
      }
      return (method, call) => faults.get(placeOf(method, call))
    },
  }
}

function checkAmount(field: string, fault: Fault): void {
  if (fault.kind === 'delay' || fault.kind === 'reorder') {
    checkMilliseconds(`${field}.milliseconds`, fault.milliseconds)
  }
  if (fault.kind === 'cut') checkCount(`${field}.items`, fault.items, 0)
}

function placeOf(method: string, call: number): string {
  return `call ${call} of ${method}`
}
