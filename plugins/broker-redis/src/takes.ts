/**
 * Entries of one plain read. They are pending under a consumer of their own, so that all of them are
 * settled at once by removing it: that costs a fraction of naming each.
 */
export interface Take {
  readonly consumer: string
  /** Entries that have not been handled. */
  left: number
  /** Entries that Redis has not been known to settle. */
  unsettled: number
  /** One of them may be pending under another consumer by now, or is to be delivered again. */
  broken: boolean
  /** A request that removes its consumer has had no answer. */
  doubted: boolean
}

interface Taken {
  readonly id: string
  readonly take: Take | undefined
}

/** The consumers of one lane for plain reads: few, so that crashes leave few behind. */
export interface Takes {
  /** One under which nothing is pending. */
  next(): string | undefined
  /** What has been read under it. */
  open(consumer: string, size: number): Take
  /**
   * There was no answer to a request that was to settle these, and to read under a consumer, if one was
   * named. Redis may run it at any time, so that no consumer of it is used again.
   */
  doubt(handled: readonly Taken[], consumer: string | undefined): void
  /** What the scripts are to settle. */
  name(handled: readonly Taken[]): string
  settled(handled: readonly Taken[]): void
}

/** One in hand, one read ahead, one being settled. */
const atOnce = 3

export function createTakes(): Takes {
  let known = 0
  const free: string[] = []
  const add = (): void => {
    free.push(`micro:${known}`)
    known += 1
  }
  while (known < atOnce) add()

  return {
    next: () => free.shift(),
    open(consumer, size) {
      if (size === 0) free.push(consumer)
      return { consumer, left: size, unsettled: size, broken: false, doubted: false }
    },
    doubt(handled, consumer) {
      for (const { take } of handled) if (take !== undefined) take.doubted = true
      if (consumer !== undefined) add()
    },
    name(handled) {
      const names: string[] = []
      let last: Take | undefined
      for (const { id, take } of handled) {
        if (take === undefined || take.left > 0 || take.broken) names.push(id)
        else if (take !== last) names.push(take.consumer)
        last = take
      }
      return names.join(' ')
    },
    settled(handled) {
      for (const { take } of handled) {
        if (take === undefined) continue
        take.unsettled -= 1
        if (take.unsettled > 0) continue
        if (take.doubted) add()
        else free.push(take.consumer)
      }
    },
  }
}
