import { backoff, sleep } from '../component/timing.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { ConfigSource, ConfigTree } from './config-source.ts'

export interface FollowOptions {
  readonly source: ConfigSource
  readonly signal: AbortSignal
  readonly onTree: (tree: ConfigTree) => void
  /** `undefined` once it works again. */
  readonly onFailure: (error: MicroError | undefined) => void
}

/** Follows a source until the signal aborts, through all its failures. */
export async function followSource(options: FollowOptions): Promise<void> {
  const { source, signal, onTree, onFailure } = options
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      for await (const tree of source.watch?.({ signal }) ?? []) {
        failures = 0
        onFailure(undefined)
        onTree(tree)
      }
      if (signal.aborted || source.health().status === 'down') return
    } catch (error) {
      if (signal.aborted) return
      onFailure(
        MicroError.is(error)
          ? error
          : new MicroError('unavailable', String(error), { cause: error }),
      )
    }
    try {
      await sleep(100 + backoff(failures, { base: 200, max: 30_000 }), { signal })
    } catch {
      // Aborted: the config is being closed.
      return
    }
  }
}
