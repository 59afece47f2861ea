import type { RedisClient } from './client.ts'
import { fromRedis } from './errors.ts'

/** Of one transaction, one after the other, on keys of one topic. */
export type Commands = readonly [command: string, args: (string | number | Buffer)[]][]

interface Waiting {
  readonly commands: Commands
  readonly resolve: (answers: unknown[]) => void
  readonly reject: (error: unknown) => void
}

/**
 * Runs transactions, each by itself; what is asked for at one time is sent at once, since a call of the
 * system for each would cost more than the rest of a request.
 */
export function createTransactor(
  client: RedisClient,
  watched: <T>(send: () => Promise<T>) => Promise<T>,
): (topic: string, commands: Commands) => Promise<unknown[]> {
  /** By topic: their keys may be at different servers. */
  const waiting = new Map<string, Waiting[]>()

  const flush = (): void => {
    const topics = [...waiting.values()]
    waiting.clear()
    for (const all of topics) void send(all)
  }
  const send = async (all: readonly Waiting[]): Promise<void> => {
    try {
      const pipeline = client.pipeline()
      for (const { commands } of all) {
        pipeline.callBuffer('MULTI', [])
        for (const [command, args] of commands) pipeline.callBuffer(command, args)
        pipeline.callBuffer('EXEC', [])
      }
      const answers = (await watched(() => pipeline.exec())) ?? []
      let at = -1
      for (const { commands, resolve, reject } of all) {
        at += commands.length + 2
        const [error, answer] = answers[at] ?? []
        if (Array.isArray(answer)) resolve(answer)
        else reject(fromRedis(error ?? new Error('the transaction was not run')))
      }
    } catch (error) {
      // Nobody hears it twice: what has been answered stays so.
      for (const { reject } of all) reject(fromRedis(error))
    }
  }

  return (topic, commands) =>
    new Promise((resolve, reject) => {
      // Others whose answers came with ours are about to ask, too.
      if (waiting.size === 0) queueMicrotask(flush)
      const known = waiting.get(topic)
      if (known === undefined) waiting.set(topic, [{ commands, resolve, reject }])
      else known.push({ commands, resolve, reject })
    })
}
