import type { AbortOptions, Health } from '../component/component.ts'
import { jitter, sleep } from '../component/timing.ts'
import { runInRoot } from '../context/ambient.ts'
import type { Node, Registry } from './registry.ts'

export interface RegistrarOptions {
  readonly registry: Registry
  readonly nodes: readonly Node[]
  /** Milliseconds. @default 15000 */
  readonly ttl?: number | undefined
  /** Told of every failed registration and of the first success after one. */
  readonly onChange?: (change: { readonly registered: boolean; readonly error?: unknown }) => void
}

/** Keeps nodes announced for as long as it runs. */
export interface Registrar {
  /** Resolves once all nodes are registered; retries until `signal` aborts. */
  start(options?: AbortOptions): Promise<void>
  /** Withdraws the nodes and stops. A registry that cannot be reached is left to the ttl. */
  stop(options?: AbortOptions): Promise<void>
  health(): Health
}

/** Milliseconds before the first new attempt; each further one waits twice as long. */
const firstRetry = 200

/**
 * Reconciles for ever: each third of the ttl, with jitter, every node is registered again, which
 * renews it, or brings it back if its lease was lost, its key deleted or its server emptied.
 *
 * While the registry is away it is asked at most about as often as it would be in peace, so that its
 * return is no flood, and each node is back within a ttl.
 */
export function createRegistrar(options: RegistrarOptions): Registrar {
  const { registry, nodes } = options
  const ttl = options.ttl ?? 15_000
  const stopping = new AbortController()
  let running: Promise<void> | undefined
  let failure: unknown
  let registered = false

  const registerAll = async (signal: AbortSignal): Promise<void> => {
    await Promise.all(nodes.map((node) => registry.register(node, { ttl, signal })))
  }
  const reconcile = async (signal: AbortSignal): Promise<void> => {
    for (let attempt = 0; ; attempt++) {
      try {
        await registerAll(signal)
        if (!registered || failure !== undefined) options.onChange?.({ registered: true })
        registered = true
        failure = undefined
        return
      } catch (error) {
        signal.throwIfAborted()
        failure = error
        options.onChange?.({ registered: false, error })
        const wait = Math.min(ttl / 3, firstRetry * 2 ** attempt)
        // From half of it to all of it.
        await sleep(jitter(0.75 * wait, 1 / 3) + 1, { signal })
      }
    }
  }
  const run = async (): Promise<void> => {
    const { signal } = stopping
    while (!signal.aborted) {
      try {
        await sleep(jitter(ttl / 3), { signal })
        await reconcile(signal)
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
  }

  return {
    async start(startOptions) {
      const signals = [
        stopping.signal,
        ...(startOptions?.signal === undefined ? [] : [startOptions.signal]),
      ]
      await runInRoot(() => reconcile(AbortSignal.any(signals)))
      running ??= runInRoot(run)
    },
    async stop(stopOptions) {
      stopping.abort()
      await running
      await Promise.all(nodes.map((node) => registry.deregister(node, stopOptions)))
    },
    health() {
      if (failure === undefined) return { status: registered ? 'up' : 'down' }
      return {
        status: 'degraded',
        detail: `registering with "${registry.name}" fails: ${describe(failure)}`,
      }
    },
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
