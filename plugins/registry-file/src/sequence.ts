/** Does what concerns one key in the order of the calls, one after the other. */
export interface Sequence {
  run(key: string, work: () => Promise<void>): Promise<void>
  /** Resolves once all that has begun or waits is done. */
  idle(): Promise<void>
}

export function createSequence(): Sequence {
  const tails = new Map<string, Promise<void>>()
  return {
    run(key, work) {
      const result = (tails.get(key) ?? Promise.resolve()).then(work)
      // A failure is for its own caller to see; what comes after runs all the same.
      const tail = result
        .catch(() => undefined)
        .then(() => {
          if (tails.get(key) === tail) tails.delete(key)
        })
      tails.set(key, tail)
      return result
    },
    async idle() {
      await Promise.all(tails.values())
    },
  }
}
