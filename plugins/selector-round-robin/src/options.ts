import { MicroError } from '@micro/core/errors'

export interface RoundRobinSelectorOptions {
  /**
   * Where the first turn begins: a number from 0 up to 1. With the default, clients that start together
   * do not all call the same node first. @default Math.random
   */
  readonly random?: () => number
}

/** @throws `invalid_argument` naming the option. */
export function settle(options: RoundRobinSelectorOptions): Required<RoundRobinSelectorOptions> {
  const [unknown] = Object.keys(options).filter((name) => name !== 'random')
  if (unknown !== undefined) {
    throw new MicroError(
      'invalid_argument',
      `roundRobinSelector option ${unknown}: unknown option; known is random`,
    )
  }
  const { random = Math.random } = options
  if (typeof random === 'function') return { random }
  throw new MicroError('invalid_argument', 'roundRobinSelector option random: give a function')
}
