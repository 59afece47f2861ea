import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** A server in a process of its own. */
export interface BenchServer {
  readonly process: ChildProcess
  readonly url: string
  /** CPU microseconds of the server and of this process. */
  readonly cpu: () => Promise<number>
}

/** Starts `file` of this folder, which tells its URL by `serve`. */
export async function startServer(
  file: string,
  ...parameters: readonly string[]
): Promise<BenchServer> {
  const child = fork(join(import.meta.dirname, file), parameters)
  const [{ url }] = (await once(child, 'message')) as [{ url: string }]
  return {
    process: child,
    url,
    async cpu() {
      child.send('cpu')
      const [{ cpu }] = (await once(child, 'message')) as [{ cpu: number }]
      const { user, system } = process.cpuUsage()
      return cpu + user + system
    },
  }
}

/** The other end of `startServer`: starts the kind that was asked for, and ends with its parent. */
export async function serve(kinds: Record<string, () => Promise<string>>): Promise<void> {
  const url = await kinds[process.argv[2] ?? '']?.()
  process.send?.({ url })
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.({ cpu: user + system })
  })
  process.on('disconnect', () => process.exit())
}
