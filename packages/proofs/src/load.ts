export interface LoadResult {
  /** Answers by node. */
  readonly answers: ReadonlyMap<string, number>
  readonly failures: readonly unknown[]
  /** Milliseconds of each call that was answered, the shortest first. */
  readonly latencies: readonly number[]
}

/** The latency that this share of the calls stayed within. */
export function percentile({ latencies }: LoadResult, share: number): number {
  return (
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN
  )
}

/** Makes `calls` calls, `width` at a time; `events` run when that many have ended. */
export async function runLoad(options: {
  readonly calls: number
  readonly width: number
  readonly call: () => Promise<string>
  readonly events?: Readonly<Record<number, () => unknown>>
}): Promise<LoadResult> {
  const answers = new Map<string, number>()
  const failures: unknown[] = []
  const latencies: number[] = []
  let begun = 0
  let ended = 0
  const loop = async (): Promise<void> => {
    while (begun < options.calls) {
      begun += 1
      const started = performance.now()
      try {
        const node = await options.call()
        latencies.push(performance.now() - started)
        answers.set(node, (answers.get(node) ?? 0) + 1)
      } catch (error) {
        failures.push(error)
      }
      ended += 1
      options.events?.[ended]?.()
    }
  }
  await Promise.all(Array.from({ length: options.width }, loop))
  return { answers, failures, latencies: latencies.sort((a, b) => a - b) }
}
