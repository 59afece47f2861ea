import type { AbortOptions, Component } from '../component/component.ts'
import type { MicroError } from '../errors/micro-error.ts'
import type { StandardSchema } from '../schema/standard-schema.ts'
import type { ConfigSource } from './config-source.ts'
import type { PathOf, ValueAt } from './paths.ts'

export interface ConfigOptions<S extends StandardSchema> {
  /** Later ones win over earlier ones. Connected and closed with the config. */
  readonly sources: readonly ConfigSource[]
  /** What the merged values must be. @default any values */
  readonly schema?: S
  /** Paths whose values are shown nowhere, and all below them; `*` stands for any one key. */
  readonly secrets?: readonly string[]
  /** Milliseconds in which changes are gathered into one. @default 50 */
  readonly coalesce?: number
  /** Milliseconds that a source is given to answer at the start. @default 10000 */
  readonly timeout?: number
}

/** Where a value comes from. Secrets are shown as `[secret]`. */
export interface Explanation {
  readonly path: string
  readonly value: unknown
  /** Name of the source that counts, and the place in it. */
  readonly source: string
  readonly origin: string
  /** What it overrode, the nearest first. */
  readonly overrode: readonly {
    readonly source: string
    readonly origin: string
    readonly value: unknown
  }[]
}

export type ChangeListener<T> = (value: T, previous: T) => void

/** Typed configuration from several sources, reloaded while running. */
export interface Config<T> extends Component {
  /** All of it, frozen; replaced as a whole by a good update. @throws before `connect`. */
  readonly value: T
  get<P extends PathOf<T>>(path: P): ValueAt<T, P>
  /** Called after a swap that changed what lies at `path`, and then only. Returns the removal. */
  onChange<P extends PathOf<T>>(path: P, listener: ChangeListener<ValueAt<T, P>>): () => void
  /**
   * Gives `use` what lies at `path`: now if it is loaded, and after each swap that changed it. What it
   * throws at a change is reported as a refused update; at once, it throws here. Returns the removal.
   */
  bind<P extends PathOf<T>>(path: P, use: (value: ValueAt<T, P>) => void): () => void
  /** Called for each update that is refused, while the last good one stays. Returns the removal. */
  onRejected(listener: (error: MicroError) => void): () => void
  /** One for each value at or below `path`. */
  explain(path: string): readonly Explanation[]
  /** All values with secrets hidden, for logs. */
  redacted(): Readonly<Record<string, unknown>>
  /** Asks every source again. @throws what makes the update be refused; the last good one stays. */
  reload(options?: AbortOptions): Promise<void>
}
