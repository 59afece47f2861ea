import type { Component } from '../component/component.ts'
import type { Context } from '../context/context.ts'
import type { Idempotency, MethodKind } from '../definition/definition.ts'
import type { MicroError } from '../errors/micro-error.ts'

/** A call as policies see it. */
export interface PolicyCall {
  readonly service: string
  readonly method: string
  readonly kind: MethodKind
  readonly idempotency: Idempotency
  /** Of the whole call: its deadline bounds all attempts. */
  readonly context: Context
  /** The caller's own limit on retries; 0 forbids every one. */
  readonly retries: number | undefined
  /** Nodes that could be called when the call began. */
  readonly nodes: number
}

/** A failed attempt, as a policy is told of it. */
export interface Failure {
  readonly error: MicroError
  /** 1 for the first attempt. */
  readonly attempt: number
  /** Whether the attempt's own timeout ended it, not the call's deadline. */
  readonly timedOut: boolean
  /** Nodes not tried yet. */
  readonly untried: number
}

/**
 * Decides how long an attempt may take and whether another follows. It only decides: the pipeline
 * runs the attempts, waits, and cancels what is left over.
 */
export interface Policy extends Component {
  readonly contract: 'policy/0'
  /** Told once per call, before its first attempt. May throw to refuse the call. */
  begin?(call: PolicyCall): void
  /** Milliseconds the attempt may take; `undefined` for all that is left of the deadline. */
  attemptTimeout(call: PolicyCall, attempt: number): number | undefined
  /** Milliseconds to wait before an attempt on another node; `undefined` to give up. */
  retry(call: PolicyCall, failure: Failure): number | undefined
}
