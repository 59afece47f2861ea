import type { Logger } from '../logger/logger.ts'

interface Stoppable {
  readonly name: string
  readonly logger: Logger
  stop(): Promise<void>
}

/** What of `process` is needed; absent in a browser. */
interface SignalSource {
  on(event: string, listener: (signal: string) => void): unknown
  off(event: string, listener: (signal: string) => void): unknown
  exit(code?: number): never
  exitCode?: number | string | null | undefined
}

const signals = ['SIGTERM', 'SIGINT']
const started = new Set<Stoppable>()
let stopping: Promise<void> | undefined

/** Stops `service` when the process is asked to end; with the last one stopped, the process exits. */
export function stopOnSignal(service: Stoppable): () => void {
  const source = (globalThis as { process?: SignalSource }).process
  if (typeof source?.on !== 'function') return () => undefined
  if (started.size === 0) for (const signal of signals) source.on(signal, onSignal)
  started.add(service)
  return () => {
    started.delete(service)
    // Kept while stopping, so that a second signal still ends the process at once.
    if (started.size === 0 && stopping === undefined) removeListeners(source)
  }
}

function onSignal(signal: string): void {
  const { process } = globalThis as unknown as { process: SignalSource }
  if (stopping !== undefined) process.exit(signal === 'SIGINT' ? 130 : 143)
  stopping = stopAll(signal, process)
}

async function stopAll(signal: string, process: SignalSource): Promise<void> {
  let failed = false
  await Promise.all(
    [...started].map(async (service) => {
      service.logger.log('info', 'stopping', { signal, service: service.name })
      try {
        await service.stop()
      } catch (error) {
        failed = true
        service.logger.log('error', 'the stop did not go well', { service: service.name, error })
      }
    }),
  )
  removeListeners(process)
  process.exit(failed ? 1 : Number(process.exitCode ?? 0))
}

function removeListeners(process: SignalSource): void {
  for (const signal of signals) process.off(signal, onSignal)
}
