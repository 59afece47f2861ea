/** The token by which Redis knows a lane for the owner of its partition. */
export interface LaneToken {
  readonly current: string
  /** Requests with it may still be on their way, and run when nobody looks at their answers. */
  doubt(): void
  /** Has it replaced if it is in doubt. False if the partition belongs to another. */
  secure(): Promise<boolean>
}

/**
 * @param replace Puts `next` in the place of `current` if Redis knows that one, or `next` already. Answers
 *   with nil if it knows another.
 */
export function createLaneToken(
  given: string,
  isInDoubt: boolean,
  replace: (current: string, next: string) => Promise<unknown>,
): LaneToken {
  let current = given
  let doubted = isInDoubt
  return {
    get current() {
      return current
    },
    doubt() {
      doubted = true
    },
    async secure() {
      if (!doubted) return true
      const [turn, times = '0'] = current.split('.')
      const next = `${turn}.${Number(times) + 1}`
      if ((await replace(current, next)) === null) return false
      current = next
      doubted = false
      return true
    },
  }
}

/** Whether both are of one time that a member has owned the partition. */
export function isSameTurn(one: string | undefined, other: string): boolean {
  return one?.split('.')[0] === other.split('.')[0]
}
