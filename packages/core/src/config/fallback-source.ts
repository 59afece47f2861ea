import { createLifecycle } from '../component/lifecycle.ts'
import { backoff, sleep } from '../component/timing.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { ConfigSource, ConfigTree } from './config-source.ts'

export interface FallbackSourceOptions {
  /** The first that answers counts; they are asked in this order. */
  readonly sources: readonly ConfigSource[]
  /** @default the names of the sources, joined with '|' */
  readonly name?: string
}

/** Several sources that stand in for each other. They are connected and closed with it. */
export function fallbackSource(options: FallbackSourceOptions): ConfigSource {
  const { sources } = options
  if (sources.length === 0) {
    throw new MicroError('invalid_argument', 'sources: give one at least')
  }
  const name = options.name ?? sources.map((source) => source.name).join('|')
  const closing = new AbortController()
  const lifecycle = createLifecycle({
    label: `config source "${name}"`,
    close: async () => {
      closing.abort()
      await Promise.all(sources.map((source) => source.close()))
    },
  })
  const attribute = (source: ConfigSource, tree: ConfigTree): ConfigTree => ({
    ...tree,
    origins: { '': source.name, ...tree.origins },
  })
  const load = async (signal: AbortSignal | undefined): Promise<[ConfigTree, ConfigSource]> => {
    const failures: string[] = []
    for (const source of sources) {
      try {
        return [attribute(source, await source.load({ signal })), source]
      } catch (error) {
        signal?.throwIfAborted()
        failures.push(`${source.name}: ${MicroError.is(error) ? error.detail : String(error)}`)
      }
    }
    throw new MicroError('unavailable', `no source answered: ${failures.join('; ')}`)
  }

  return {
    name,
    contract: 'config/0',
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health() {
      if (lifecycle.closed) return { status: 'down' }
      const statuses = sources.map((source) => source.health().status)
      if (statuses[0] === 'up') return { status: 'up' }
      if (statuses.every((status) => status === 'down')) return { status: 'down' }
      return {
        status: 'degraded',
        detail: `${sources[0]?.name} is ${statuses[0]}; others stand in`,
      }
    },
    async load(loadOptions) {
      await lifecycle.connect(loadOptions)
      return (await load(loadOptions?.signal))[0]
    },
    async *watch(watchOptions) {
      await lifecycle.connect(watchOptions)
      const signal = watchOptions?.signal
      const either = AbortSignal.any([closing.signal, ...(signal === undefined ? [] : [signal])])
      for (let attempt = 0; ; attempt++) {
        const [tree, answered] = await load(either)
        try {
          if (answered === sources[0] && answered.watch !== undefined) {
            attempt = 0
            // It begins with what has just been loaded.
            for await (const next of answered.watch({ signal: either })) {
              yield attribute(answered, next)
            }
          } else {
            // While another stands in, the first is asked again from time to time.
            yield tree
            await sleep(1_000 + backoff(attempt, { base: 500, max: 30_000 }), { signal: either })
          }
        } catch {
          // The next round's load finds who answers now, and tells why if nobody does.
          signal?.throwIfAborted()
        }
        if (either.aborted) return
      }
    },
  }
}
