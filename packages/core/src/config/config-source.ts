import type { AbortOptions, Component } from '../component/component.ts'
import type { MicroError } from '../errors/micro-error.ts'

export type ConfigValues = Readonly<Record<string, unknown>>

/** What one source says. */
export interface ConfigTree {
  readonly values: ConfigValues
  /**
   * Where a value comes from, for people: `config.yaml:12`, `DB_PASSWORD`. By path, its keys joined
   * with dots; a path that is missing has the origin of the nearest one above, else the source's name.
   */
  readonly origins?: Readonly<Record<string, string>>
  /**
   * In a watch: what is there does not parse, and `values` do not count. It is reported, the last good
   * tree stays, and the watch goes on.
   */
  readonly error?: MicroError
}

/**
 * One place that configuration comes from. It only reads: merging, validation, secrets and change
 * notices are core's. How memory and real backends implement each member is written in the README
 * beside this file.
 */
export interface ConfigSource extends Component {
  readonly contract: 'config/0'
  /**
   * What it says now.
   *
   * @throws `unavailable` if it cannot be reached; `invalid_argument` naming the place in a document
   * that does not parse.
   */
  load(options?: AbortOptions): Promise<ConfigTree>
  /**
   * What it says now and after each change; changes may be merged, the last is never lost. It may
   * reject when the source fails: core then begins again, with back-off. Ends when the source is
   * closed or the signal aborts.
   */
  watch?(options?: AbortOptions): AsyncIterable<ConfigTree>
}
