import { requireContract } from '../component/contract.ts'
import { createLifecycle } from '../component/lifecycle.ts'
import { unrefTimer } from '../component/timing.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { InferOutput, StandardSchema } from '../schema/standard-schema.ts'
import type { ChangeListener, Config, ConfigOptions, Explanation } from './config.ts'
import type { ConfigTree, ConfigValues } from './config-source.ts'
import { followSource } from './follow-source.ts'
import { type Merged, merge, type Statement } from './merge.ts'
import { freeze, isTree, matchesAny, sameValue, valueAt } from './paths.ts'
import { validateConfig } from './validate-config.ts'

interface Subscription {
  readonly path: string
  readonly listener: ChangeListener<unknown>
}

const hidden = '[secret]'

/** Merges sources into one typed, frozen value; a good update swaps it, a bad one changes nothing. */
export function createConfig<S extends StandardSchema = StandardSchema<ConfigValues>>(
  options: ConfigOptions<S>,
): Config<InferOutput<S>> {
  type T = InferOutput<S>
  const { sources, schema, secrets = [], coalesce = 50, timeout = 10_000 } = options
  for (const source of sources) requireContract(source, 'config/0')

  const trees: (ConfigTree | undefined)[] = sources.map(() => undefined)
  const failures = new Map<string, MicroError>()
  const subscriptions = new Set<Subscription>()
  const rejectedListeners = new Set<(error: MicroError) => void>()
  const closing = new AbortController()
  let current: { readonly value: T; readonly merged: Merged } | undefined
  let rejected: MicroError | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let applying: Promise<void> = Promise.resolve()

  const apply = async (): Promise<void> => {
    const layers = sources.flatMap(({ name }, at) => {
      const tree = trees[at]
      return tree === undefined ? [] : [{ source: name, tree }]
    })
    const merged = merge(layers)
    const value = freeze(await validateConfig(schema, merged, secrets)) as T
    const previous = current
    current = { value, merged }
    rejected = undefined
    if (previous !== undefined) notify(value, previous.value)
  }
  const notify = (value: T, previous: T): void => {
    for (const { path, listener } of [...subscriptions]) {
      const next = valueAt(value, path)
      const before = valueAt(previous, path)
      if (!sameValue(next, before)) call(() => listener(next, before))
    }
  }
  /** One at a time, so that an older update never ends after a newer one. */
  const update = (): Promise<void> => {
    const turn = applying.then(apply)
    applying = turn.catch(() => undefined)
    return turn
  }
  const reject = (error: unknown): void => {
    rejected = MicroError.is(error)
      ? error
      : new MicroError('internal', String(error), { cause: error })
    const told = rejected
    for (const listener of rejectedListeners) call(() => listener(told))
  }
  const schedule = (): void => {
    // The first change of a burst sets the time: a source that never rests is heard all the same.
    timer ??= unrefTimer(
      setTimeout(() => {
        timer = undefined
        update().catch(reject)
      }, coalesce),
    )
  }
  const loadAll = async (signal: AbortSignal | undefined): Promise<void> => {
    const late = AbortSignal.timeout(timeout)
    const either = AbortSignal.any([
      late,
      closing.signal,
      ...(signal === undefined ? [] : [signal]),
    ])
    const loaded = await Promise.all(
      sources.map(async (source) => {
        try {
          return await source.load({ signal: either })
        } catch (error) {
          if (either.aborted && !late.aborted) throw error
          const why = MicroError.is(error) ? error.detail : String(error)
          const told = late.aborted ? `no answer within ${timeout} ms (timeout)` : why
          const code = MicroError.is(error) ? error.code : 'unavailable'
          throw new MicroError(code, `config source "${source.name}": ${told}`, { cause: error })
        }
      }),
    )
    for (const [at, tree] of loaded.entries()) trees[at] = tree
  }

  const lifecycle = createLifecycle({
    label: 'config',
    async open() {
      await loadAll(undefined)
      await update()
      for (const [at, source] of sources.entries()) {
        if (source.watch === undefined) continue
        void followSource({
          source,
          signal: closing.signal,
          onTree(tree) {
            if (tree.error !== undefined) {
              const { code, detail } = tree.error
              reject(
                new MicroError(code, `source "${source.name}": ${detail}`, { cause: tree.error }),
              )
              return
            }
            if (rejected === undefined && sameValue(trees[at], tree)) return
            trees[at] = tree
            schedule()
          },
          onFailure(error) {
            if (error === undefined) failures.delete(source.name)
            else failures.set(source.name, error)
          },
        })
      }
    },
    async close() {
      closing.abort(new MicroError('failed_precondition', 'config is closed'))
      clearTimeout(timer)
      const results = await Promise.allSettled(sources.map((source) => source.close()))
      for (const result of results) if (result.status === 'rejected') throw result.reason
    },
  })
  const loaded = () => {
    if (current !== undefined) return current
    throw new MicroError('failed_precondition', 'config is not loaded yet: await connect() first')
  }
  const show = (path: string, value: unknown): unknown =>
    matchesAny(secrets, path) ? hidden : redact(value, path, secrets)

  return {
    name: 'layered',
    contract: 'config/0',
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health() {
      if (lifecycle.closed || current === undefined) return { status: 'down' }
      const told = [
        ...(rejected === undefined ? [] : [`an update was refused: ${rejected.detail}`]),
        ...[...failures].map(([name, error]) => `source "${name}": ${error.detail}`),
        ...sources.flatMap((source) => {
          const health = source.health()
          if (health.status === 'up' || failures.has(source.name)) return []
          return [`source "${source.name}": ${health.detail ?? health.status}`]
        }),
      ]
      return told.length === 0 ? { status: 'up' } : { status: 'degraded', detail: told.join('; ') }
    },
    get value() {
      return loaded().value
    },
    get: (path) => valueAt(loaded().value, path) as never,
    onChange(path, listener) {
      const subscription = { path, listener: listener as ChangeListener<unknown> }
      subscriptions.add(subscription)
      return () => subscriptions.delete(subscription)
    },
    bind(path, use) {
      const begin = (value: unknown): void => {
        try {
          use(value as never)
        } catch (error) {
          reject(boundTo(path, error))
        }
      }
      if (current !== undefined) use(valueAt(current.value, path) as never)
      const subscription = { path, listener: begin }
      subscriptions.add(subscription)
      return () => subscriptions.delete(subscription)
    },
    onRejected(listener) {
      rejectedListeners.add(listener)
      return () => rejectedListeners.delete(listener)
    },
    explain(path) {
      const { statements } = loaded().merged
      const show1 = (at: string, { source, origin, value }: Statement) => ({
        source,
        origin,
        value: show(at, value),
      })
      return [...statements].flatMap(([at, said]): Explanation[] => {
        const last = said.at(-1)
        if (last === undefined || !(at === path || at.startsWith(`${path}.`))) return []
        const overrode = said.slice(0, -1).reverse()
        return [{ path: at, ...show1(at, last), overrode: overrode.map((one) => show1(at, one)) }]
      })
    },
    redacted: () => redact(loaded().merged.values, '', secrets) as ConfigValues,
    async reload(reloadOptions) {
      await lifecycle.connect(reloadOptions)
      await loadAll(reloadOptions?.signal)
      await update()
    },
  }
}

function boundTo(path: string, error: unknown): MicroError {
  const code = MicroError.is(error) ? error.code : 'invalid_argument'
  const why = MicroError.is(error) ? error.detail : String(error)
  return new MicroError(code, `${path}: ${why}`, { cause: error })
}

/** A listener that throws is a bug of its owner: it keeps no other from being called, and is not hidden. */
function call(listener: () => void): void {
  try {
    listener()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

function redact(value: unknown, path: string, secrets: readonly string[]): unknown {
  if (path !== '' && matchesAny(secrets, path)) return hidden
  if (!isTree(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      redact(inner, path === '' ? key : `${path}.${key}`, secrets),
    ]),
  )
}
