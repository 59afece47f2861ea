import type { ServiceClient } from '@micro/core'
import type { Greeter } from './greeter.ts'

type Client = ServiceClient<typeof Greeter.methods>

export interface Traffic {
  /** Answers by instance. */
  readonly answers: ReadonlyMap<string, number>
  readonly failures: readonly string[]
  /** Resolves when this many further calls have ended. */
  after(calls: number): Promise<void>
  stop(): Promise<void>
}

/** Calls without a pause from `width` loops at once. */
export function startTraffic(client: Client, width: number): Traffic {
  const answers = new Map<string, number>()
  const failures: string[] = []
  const waiting: { at: number; resolve: () => void }[] = []
  let ended = 0
  let running = true

  const loop = async (): Promise<void> => {
    while (running) {
      try {
        const { by } = await client.hello({ name: 'Ada' })
        answers.set(by, (answers.get(by) ?? 0) + 1)
      } catch (error) {
        failures.push(String(error))
      }
      ended += 1
      for (const one of waiting) if (ended >= one.at) one.resolve()
    }
  }
  const loops = Array.from({ length: width }, loop)

  return {
    answers,
    failures,
    after: (calls) => new Promise((resolve) => waiting.push({ at: ended + calls, resolve })),
    async stop() {
      running = false
      await Promise.all(loops)
    },
  }
}
