import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface Instance {
  readonly name: string
  readonly url: string
  readonly process: ChildProcess
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
}

/** Starts an instance and waits until it serves. */
export async function startInstance(name: string, directory: string, port = 0): Promise<Instance> {
  const script = join(import.meta.dirname, 'instance.ts')
  const child = spawn(process.execPath, [script, name, directory, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string)
  const lines = createInterface({ input: child.stdout })
  const first = once(lines, 'line').then(([line]) => line as string)
  const url = await Promise.race([first, ended])
  if (typeof url !== 'string' || !url.startsWith('http'))
    throw new Error(`instance ${name} did not start: ${url}`)
  return { name, url, process: child, ended }
}
