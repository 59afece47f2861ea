import type { AbortOptions, Component } from '../component/component.ts'
import type { Idempotency, MethodAccess, MethodKind } from '../definition/definition.ts'

/** How one transport of a node is reached. */
export interface Endpoint {
  /** Name of the transport: `http`, `grpc`, `tcp`. */
  readonly transport: string
  /** Where it listens, as other hosts reach it: `http://10.0.0.7:8080`. */
  readonly url: string
  /** What it can decode, the preferred one first. */
  readonly contentTypes: readonly string[]
}

export interface MethodInfo {
  readonly name: string
  readonly kind: MethodKind
  readonly idempotency: Idempotency
  /** As the definition has it; rules may say otherwise. */
  readonly access?: MethodAccess | undefined
}

/**
 * One running instance of a service, and the unit of discovery. Mixed versions of everything read
 * this record: readers ignore fields they do not know and skip records of another `schema`.
 */
export interface Node {
  readonly schema: 1
  /** Unique among all nodes of all services; new for every start of a process. */
  readonly id: string
  readonly service: string
  readonly version: string
  /** Share of calls relative to the others; 0 takes none. @default 1 */
  readonly weight: number
  readonly zone?: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly endpoints: readonly Endpoint[]
  readonly methods?: readonly MethodInfo[] | undefined
}

export interface RegisterOptions extends AbortOptions {
  /** Milliseconds until the record lapses unless registered again. @default 15000 */
  readonly ttl?: number | undefined
}

/**
 * `reset` replaces all that was known: the first event of every watch, and again whenever changes
 * may have been missed. `put` tells a new or changed node, `delete` one withdrawn or lapsed.
 */
export type RegistryEvent =
  | { readonly type: 'reset'; readonly nodes: readonly Node[] }
  | { readonly type: 'put'; readonly node: Node }
  | { readonly type: 'delete'; readonly service: string; readonly id: string }

/** May merge changes to one node, never loses its last state. `break` or disposal ends it. */
export interface RegistryWatcher extends AsyncIterableIterator<RegistryEvent>, AsyncDisposable {}

export interface ListOptions extends AbortOptions {
  /** Only nodes of this service. */
  readonly service?: string | undefined
}

/**
 * Service discovery: which nodes serve what. How memory and real backends implement each member is
 * written in the README beside this file.
 */
export interface Registry extends Component {
  readonly contract: 'registry/0'
  /**
   * Announces `node`, or replaces its record; doing it again renews its ttl.
   *
   * @throws `invalid_argument` naming the field of a malformed node; `unavailable`.
   */
  register(node: Node, options?: RegisterOptions): Promise<void>
  /** Withdraws a node. An unknown one is no error. */
  deregister(node: Pick<Node, 'id' | 'service'>, options?: AbortOptions): Promise<void>
  /** The nodes alive now. */
  list(options?: ListOptions): Promise<readonly Node[]>
  /**
   * Resolves once changes from now on will be seen. Outages do not end a watch: it goes on after
   * them with a `reset`. Iteration ends when the watcher or the registry is closed.
   */
  watch(options?: ListOptions): Promise<RegistryWatcher>
}
