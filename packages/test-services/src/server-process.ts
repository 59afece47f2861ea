import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface ServerCommand {
  readonly command: string
  readonly args: readonly string[]
  /** What a line says when the server takes requests; what it returns is `ready`. */
  readonly ready: (line: string) => string | undefined
  /** Milliseconds to wait for that. @default 60000 */
  readonly timeout?: number
  /** Told the process's id as soon as it runs. */
  readonly onSpawn?: (pid: number) => void
  /** Whose process it is. @default the user of this one */
  readonly uid?: number
  readonly gid?: number
}

/** A server that this process started. It ends with this process at the latest. */
export interface RunningServer {
  readonly process: ChildProcess
  /** What `ready` returned. */
  readonly ready: string
  /** Ends it, and resolves when it has gone. @default 'SIGTERM' */
  stop(signal?: NodeJS.Signals): Promise<void>
}

/** Starts a server and waits for the line that says that it is ready. */
export async function startServer(options: ServerCommand): Promise<RunningServer> {
  const { command, args, ready, timeout = 60_000, onSpawn } = options
  const child = spawn(command, args, { ...identityOf(options), stdio: ['ignore', 'pipe', 'pipe'] })
  if (child.pid !== undefined) onSpawn?.(child.pid)
  const end = (): void => {
    child.kill('SIGKILL')
  }
  process.once('exit', end)
  child.once('exit', () => process.off('exit', end))
  const lines: string[] = []
  const first = new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`${command} is not ready within ${timeout} ms:\n${lines.join('\n')}`))
    }, timeout)
    child.once('error', reject)
    child.once('exit', (code) => {
      clearTimeout(timer)
      reject(new Error(`${command} has ended with ${code}:\n${lines.join('\n')}`))
    })
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        // The newest are enough to tell what was wrong.
        if (lines.push(line) > 50) lines.shift()
        const told = ready(line)
        if (told === undefined) return
        clearTimeout(timer)
        resolve(told)
      })
    }
  })
  return {
    process: child,
    ready: await first,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill(signal)
      await gone
    },
  }
}

/** Only where they are given: `undefined` would be refused. */
function identityOf({ uid, gid }: ServerCommand): { uid?: number; gid?: number } {
  return { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) }
}
