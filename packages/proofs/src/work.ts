import { defineService, unary } from '@micro/core'

/** What the processes of these proofs serve. */
export const Work = defineService('work', {
  /** May be repeated. Answers with the id of the node. */
  safe: unary<void, string>({ idempotency: 'idempotent' }),
  /** May not. */
  once: unary<void, string>(),
})

/** A chain of calls: each service calls the next one, and the last one waits for its signal. */
export const Chain = (depth: number) =>
  defineService(`chain-${depth}`, {
    /** Never answers. */
    hang: unary<void, void>(),
  })

/** What a process says on standard output when a handler's signal fires. */
export interface SignalReport {
  readonly depth: number
  /** Milliseconds since 1970. */
  readonly at: number
}
