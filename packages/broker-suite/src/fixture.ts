import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll } from 'vitest'

/** A server for the tests of a file. What a test deferred is done when it ends, the last first. */
export interface Fixture<S> {
  /** In tests only. */
  readonly server: S
  defer(work: () => unknown): void
  /** A process of its own that runs a script. Resolves with its first line. */
  run(script: string, ...args: string[]): Promise<{ child: ChildProcess; line: string }>
}

export function useServer<S extends { stop(): Promise<unknown> }>(
  start: () => Promise<S>,
): Fixture<S> {
  let server: S | undefined
  const deferred: (() => unknown)[] = []
  beforeAll(async () => {
    server = await start()
  })
  afterAll(() => server?.stop())
  afterEach(async () => {
    for (const work of deferred.splice(0).reverse()) await work()
  })
  return {
    get server() {
      if (server === undefined) throw new Error('the server has not been started')
      return server
    },
    defer(work) {
      deferred.push(work)
    },
    async run(script, ...args) {
      const child = spawn(process.execPath, [script, ...args], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      deferred.push(() => child.kill('SIGKILL'))
      for await (const line of createInterface({ input: child.stdout })) return { child, line }
      throw new Error(`${script} said nothing`)
    },
  }
}
