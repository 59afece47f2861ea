import { checkCount, checkMethod, checkMilliseconds, refusal } from './checks.ts'
import { type Fault, type FaultKind, type FaultPlan, faultKinds } from './fault.ts'
import { hashOf, mulberry32 } from './random.ts'

export interface SeededOptions {
  /** The same seed gives the nth call of each method the same fate. A whole number. */
  readonly seed: number
  /** Of each kind, from 0 to 1 and together at most 1. What a method cannot suffer leaves it alone. */
  readonly probabilities: Readonly<Partial<Record<FaultKind, number>>>
  /** Only these: `read`, `dial.unary`. @default all that do I/O */
  readonly methods?: readonly string[]
  /** Milliseconds of the longest delay; each is drawn. @default 10 */
  readonly delay?: number
  /** Milliseconds for which a reordered call is held back at most. @default 100 */
  readonly hold?: number
  /** Items before a cut at most; each number is drawn. @default 10 */
  readonly items?: number
}

/**
 * Faults by chance, and the same ones again from the same seed. Every method has a sequence of its own,
 * so that the order in which different methods happen to be called changes nothing.
 *
 * @throws `invalid_argument` naming the field.
 */
export function seeded(options: SeededOptions): FaultPlan {
  const { seed, probabilities, methods: only, delay = 10, hold = 100, items = 10 } = options
  if (!Number.isSafeInteger(seed)) throw refusal('seed', `${seed}; give a whole number`)
  checkProbabilities(probabilities)
  checkMilliseconds('delay', delay)
  checkMilliseconds('hold', hold)
  checkCount('items', items, 0)

  const draw = (random: () => number): Fault | undefined => {
    // Always two numbers, so that the fate of a call does not depend on that of the one before.
    const roll = random()
    const share = random()
    const kind = kindAt(roll, probabilities)
    switch (kind) {
      case undefined:
        return undefined
      case 'delay':
        return { kind, milliseconds: Math.round(share * delay) }
      case 'reorder':
        return { kind, milliseconds: hold }
      case 'cut':
        return { kind, items: Math.floor(share * (items + 1)) }
      default:
        return { kind }
    }
  }
  return {
    start(methods) {
      for (const method of only ?? []) checkMethod('methods', method, methods)
      const sequences = new Map<string, () => number>()
      for (const method of only ?? methods.keys()) {
        sequences.set(method, mulberry32(seed ^ hashOf(method)))
      }
      return (method) => {
        const sequence = sequences.get(method)
        const fault = sequence === undefined ? undefined : draw(sequence)
        if (fault === undefined) return undefined
        return methods.get(method)?.includes(fault.kind) === true ? fault : undefined
      }
    },
  }
}

function kindAt(
  roll: number,
  probabilities: SeededOptions['probabilities'],
): FaultKind | undefined {
  let upTo = 0
  for (const kind of faultKinds) {
    upTo += probabilities[kind] ?? 0
    if (roll < upTo) return kind
  }
  return undefined
}

function checkProbabilities(probabilities: SeededOptions['probabilities']): void {
  let sum = 0
  for (const [kind, probability] of Object.entries(probabilities)) {
    if (!faultKinds.some((one) => one === kind)) {
      throw refusal(`probabilities.${kind}`, `no such kind; there are ${faultKinds.join(', ')}`)
    }
    if (!(probability >= 0 && probability <= 1)) {
      throw refusal(`probabilities.${kind}`, `${probability}; give a number from 0 to 1`)
    }
    sum += probability
  }
  // A little more may come of adding decimal fractions.
  if (sum > 1 + 1e-9) throw refusal('probabilities', `they add up to ${sum}; give at most 1 in all`)
}
