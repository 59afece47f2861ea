import { MicroError } from '@micro/core/errors'

export interface ConsistentHashSelectorOptions {
  /**
   * Calls in flight that a node may have, as a multiple of its fair share: at 1.25 a key leaves its
   * node when that is a quarter above it. @default 1.25
   */
  readonly maxLoad?: number
}

/** @throws `invalid_argument` naming the option. */
export function settle(
  options: ConsistentHashSelectorOptions,
): Required<ConsistentHashSelectorOptions> {
  const [unknown] = Object.keys(options).filter((name) => name !== 'maxLoad')
  if (unknown !== undefined) {
    throw invalid(unknown, 'unknown option; known is maxLoad')
  }
  const { maxLoad = 1.25 } = options
  if (maxLoad > 1 && maxLoad <= 1_000) return { maxLoad }
  throw invalid('maxLoad', `${maxLoad}; give a number above 1 and at most 1000`)
}

function invalid(name: string, why: string): MicroError {
  return new MicroError('invalid_argument', `consistentHashSelector option ${name}: ${why}`)
}
