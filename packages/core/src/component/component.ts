/** Options of every call that does I/O. */
export interface AbortOptions {
  /** Ends the caller's wait. The call rejects with `signal.reason`, untouched. */
  readonly signal?: AbortSignal | undefined
}

/** `degraded` still serves, though not from fresh or complete state. */
export type HealthStatus = 'up' | 'degraded' | 'down'

export interface Health {
  readonly status: HealthStatus
  /** One sentence for the operator; never a secret. */
  readonly detail?: string
}

/** What every pluggable part of a service has in common. */
export interface Component extends AsyncDisposable {
  /** Backend, for logs and metrics: `'memory'`, `'etcd'`. */
  readonly name: string
  /** The generation of the contract it was built for: `'registry/0'`. */
  readonly contract: string
  /** Reach the backend. Idempotent; the first call that needs it connects too. */
  connect(options?: AbortOptions): Promise<void>
  /** Release what this component opened itself. Idempotent and final. */
  close(options?: AbortOptions): Promise<void>
  /** What is known now, from memory: never does I/O. */
  health(): Health
}
