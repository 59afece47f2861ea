export interface LoadResult {
  /** Answers by node. */
  readonly answers: ReadonlyMap<string, number>
  readonly failures: readonly unknown[]
}

/** Makes `calls` calls, `width` at a time; `events` run when that many have ended. */
export async function runLoad(options: {
  readonly calls: number
  readonly width: number
  readonly call: () => Promise<string>
  readonly events?: Readonly<Record<number, () => void>>
}): Promise<LoadResult> {
  const answers = new Map<string, number>()
  const failures: unknown[] = []
  let begun = 0
  let ended = 0
  const loop = async (): Promise<void> => {
    while (begun < options.calls) {
      begun += 1
      try {
        const node = await options.call()
        answers.set(node, (answers.get(node) ?? 0) + 1)
      } catch (error) {
        failures.push(error)
      }
      ended += 1
      options.events?.[ended]?.()
    }
  }
  await Promise.all(Array.from({ length: options.width }, loop))
  return { answers, failures }
}
