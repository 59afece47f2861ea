import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'

/** What an operator can tell a process to do, and hears of it. */
export type Actions = Readonly<Record<string, (input: never) => Promise<unknown>>>

/** In a process: does what it is asked, and ends with the process that started it. */
export function answer(actions: Actions): void {
  process.on('message', async ({ action, input }: { action: string; input: never }) => {
    try {
      process.send?.({ result: await actions[action]?.(input) })
    } catch (error) {
      const { code, detail } = error as { code?: string; detail?: string }
      process.send?.({ refused: `${code}: ${detail}` })
    }
  })
  process.on('disconnect', () => process.exit())
  process.send?.({ result: 'ready' })
}

export interface Asked {
  readonly process: ChildProcess
  /** Resolves with the result, or with `refused: …`. One at a time. */
  ask(action: string, input?: unknown): Promise<unknown>
}

/** For the operator: starts a process of this folder. */
export async function start(file: string, ...parameters: readonly string[]): Promise<Asked> {
  const child = fork(join(import.meta.dirname, file), parameters)
  let told = Promise.withResolvers<unknown>()
  child.on('message', ({ result, refused }: { result?: unknown; refused?: string }) => {
    told.resolve(refused === undefined ? result : `refused: ${refused}`)
  })
  child.on('exit', () => told.reject(new Error(`${file} ${parameters[0]} has ended`)))
  await told.promise
  return {
    process: child,
    ask(action, input) {
      told = Promise.withResolvers()
      // Whoever asks is told; one that ends later is not asked.
      told.promise.catch(() => undefined)
      child.send({ action, input })
      return told.promise
    },
  }
}
