import { MicroError } from '@micro/core/errors'

export interface P2cSelectorOptions {
  /** Milliseconds in which what was seen of a node loses two thirds of its say. @default 1000 */
  readonly decay?: number
  /** Milliseconds over which a node that joins others comes to its full share. @default 10000 */
  readonly slowStart?: number
  /** Milliseconds that a failed call counts as, at least. @default 1000 */
  readonly failureCost?: number
  /** Numbers from 0 up to 1. @default Math.random */
  readonly random?: () => number
  /** Milliseconds on a clock that does not jump. @default performance.now */
  readonly now?: () => number
}

export type Settings = Required<P2cSelectorOptions>

const defaults: Settings = {
  decay: 1_000,
  slowStart: 10_000,
  failureCost: 1_000,
  random: Math.random,
  now: () => performance.now(),
}

/** @throws `invalid_argument` naming the option. */
export function settle(options: P2cSelectorOptions): Settings {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(defaults, name)) {
      throw invalid(name, `unknown option; known are ${Object.keys(defaults).join(', ')}`)
    }
  }
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  )
  const settings: Settings = { ...defaults, ...given }
  for (const name of ['decay', 'slowStart', 'failureCost'] as const) {
    const least = name === 'decay' ? 1 : 0
    const value = settings[name]
    if (value >= least && value <= 86_400_000) continue
    throw invalid(name, `${value}; give milliseconds from ${least} to 86400000`)
  }
  for (const name of ['random', 'now'] as const) {
    if (typeof settings[name] !== 'function') throw invalid(name, 'give a function')
  }
  return settings
}

function invalid(name: string, why: string): MicroError {
  return new MicroError('invalid_argument', `p2cSelector option ${name}: ${why}`)
}
