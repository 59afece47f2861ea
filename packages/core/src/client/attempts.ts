import { currentContext } from '../context/ambient.ts'
import { Context, keepShape, rootContext } from '../context/context.ts'
import { MicroError } from '../errors/micro-error.ts'
import { attemptsKey } from '../metadata/keys.ts'
import { Metadata } from '../metadata/metadata.ts'
import type { Failure, Policy, PolicyCall } from '../policy/policy.ts'
import type { Route, Snapshot } from '../router/router.ts'
import type { Pick, Picker } from '../selector/selector.ts'
import { injectTrace } from '../tracer/propagation.ts'
import type { CallHead } from '../transport/transport.ts'
import type { CallOptions } from './client.ts'
import type { ClientMethodInfo, MessageCodecs } from './client-method.ts'
import { isInfrastructure } from './ejection.ts'

const longestTimeout = 2 ** 31 - 1

/** One call, over all its attempts: which nodes were tried, and what may be tried next. */
export class Attempts extends Context implements PolicyCall, Pick {
  // Declared, and set by the constructor, for the same reason as in Context.
  declare readonly info: ClientMethodInfo
  declare readonly options: CallOptions
  declare readonly policy: Policy
  /** Attempts made, the running one included. */
  declare number: number
  declare nodes: number
  declare route: Route | undefined
  declare picker: Picker | undefined
  declare private picked: number
  declare private snapshot: Snapshot | undefined
  declare private tried: Set<Route> | undefined
  declare private repeats: boolean
  declare private given: Metadata | undefined

  constructor(
    parent: Context,
    info: ClientMethodInfo,
    options: CallOptions,
    timeout: number | undefined,
    policy: Policy,
  ) {
    if (timeout !== undefined) checkTimeout(timeout)
    super(parent)
    this.info = info
    this.options = options
    this.policy = policy
    this.number = 0
    this.nodes = 0
    this.route = undefined
    this.picker = undefined
    this.picked = 0
    this.snapshot = undefined
    this.tried = undefined
    this.repeats = false
    this.given = undefined
    if (timeout !== undefined) this.limit(timeout)
    if (options.signal !== undefined) this.follow(options.signal)
  }

  /** Request metadata, a copy of what the caller gave. */
  get metadata(): Metadata {
    this.given ??= new Metadata(this.options.metadata)
    return this.given
  }

  // What a selector sees of the call.
  get key(): string | undefined {
    return this.options.key
  }
  get exclude(): ReadonlySet<Route> | undefined {
    return this.tried
  }

  // What a policy sees of the call.
  get service(): string {
    return this.info.service
  }
  get method(): string {
    return this.info.name
  }
  get kind(): PolicyCall['kind'] {
    return this.info.kind
  }
  get idempotency(): PolicyCall['idempotency'] {
    return this.info.idempotency
  }
  get retries(): number | undefined {
    return this.options.retries
  }
  get context(): Context {
    return this
  }

  /** Picks the next node. @throws `unavailable` when none is left. */
  pickRoute(snapshot: Snapshot): Route {
    this.snapshot = snapshot
    this.nodes = snapshot.routes.length
    this.number += 1
    const route = this.info.target.pick(this)
    this.route = route
    if (this.picker?.done !== undefined) this.picked = performance.now()
    return route
  }

  head(codecs: MessageCodecs): CallHead {
    return {
      service: this.info.service,
      method: this.info.name,
      kind: this.info.kind,
      idempotency: this.info.idempotency,
      contentType: codecs.contentType,
      metadata: this.#sentMetadata(),
      byReference: codecs.byReference,
    }
  }

  succeeded(): void {
    const route = this.route as Route
    this.#done(route, false)
    this.info.target.ejection.succeeded(route)
  }

  /**
   * Takes note of an attempt's failure. Milliseconds to wait before the next attempt, or the error
   * that the call ends with.
   */
  failed(cause: unknown, timedOut: boolean): number | { readonly error: unknown } {
    const { route } = this
    // The server's clock may have been a little ahead of this side's.
    if (!this.cancelled && this.remaining() === 0) this.expire()
    if (this.cancelled) {
      // Whatever came of the attempt, the call had been given up. A node that let the deadline pass
      // may hang; one whose caller went away has done nothing wrong.
      if (route !== undefined)
        this.#noteFailure(route, MicroError.is(this.reason, 'deadline_exceeded'), false)
      return { error: this.#cancellation() }
    }
    const error = this.#located(cause)
    if (route !== undefined) {
      const certain = timedOut || (isInfrastructure(error) && error.processed === 'no')
      this.#noteFailure(route, timedOut || isInfrastructure(error), certain)
      this.tried ??= new Set()
      this.tried.add(route)
    }
    const untried = this.#untried()
    const failure: Failure = { error, attempt: this.number, timedOut, untried }
    const wait = this.policy.retry(this, failure)
    if (wait === undefined) return { error }
    if (untried === 0) this.tried = undefined
    if (error.processed !== 'no') this.repeats = true
    return wait
  }

  /** The error that a call ends with although its policy would have gone on. */
  ended(cause: unknown): unknown {
    return this.cancelled ? this.#cancellation() : this.#located(cause)
  }

  /** A copy for each attempt, since in process the handler gets this very object. */
  #sentMetadata(): Metadata {
    const { forwarded, trace } = this
    const sent = new Metadata(this.given ?? this.options.metadata)
    if (forwarded !== undefined) {
      for (const key of forwarded.keys()) {
        if (!sent.has(key)) for (const value of forwarded.getAll(key)) sent.append(key, value)
      }
    }
    if (trace !== undefined) injectTrace(trace, sent)
    if (this.repeats) sent.set(attemptsKey, String(this.number - 1))
    return sent
  }

  #done(route: Route, failed: boolean): void {
    this.picker?.done?.(route, { latency: performance.now() - this.picked, failed })
  }

  #noteFailure(route: Route, failed: boolean, certain: boolean): void {
    this.#done(route, failed)
    if (failed && this.snapshot !== undefined) {
      this.info.target.ejection.failed(route, this.snapshot, certain)
    }
  }

  #untried(): number {
    if (this.snapshot === undefined || this.route === undefined) return 0
    let count = 0
    for (const route of this.snapshot.routes) if (this.tried?.has(route) !== true) count += 1
    return count
  }

  #located(cause: unknown): MicroError {
    const error = MicroError.is(cause)
      ? cause
      : new MicroError('unknown', cause instanceof Error ? cause.message : String(cause), { cause })
    return error.with({
      origin: this.#origin(error.processed === 'yes' ? 'server' : 'client', error.origin?.phase),
    })
  }

  /** The reason as the caller should see it: that of its own signal untouched, ours with the place. */
  #cancellation(): unknown {
    const { signal } = this.options
    if (signal?.aborted === true && signal.reason === this.reason) return this.reason
    if (!MicroError.is(this.reason)) return this.reason
    return this.reason.with({ origin: this.#origin('client', 'wait') })
  }

  #origin(side: 'client' | 'server', phase: string | undefined) {
    return {
      side,
      phase: phase ?? (this.route === undefined ? 'route' : 'call'),
      service: this.info.service,
      method: this.info.name,
      node: this.route?.node.id,
      attempts: this.number,
    }
  }
}

/** Makes the call's context below the surrounding one, and lets the policy refuse it. */
export function beginCall(
  info: ClientMethodInfo,
  options: CallOptions,
  timeout: number | undefined,
  policy: Policy,
  parent: Context = currentContext(),
): Attempts {
  const call = new Attempts(parent, info, options, timeout, policy)
  policy.begin?.(call)
  return call
}

/** @throws `invalid_argument` for what no deadline can be made of. */
export function checkTimeout(timeout: number): void {
  if (timeout > 0 && timeout <= longestTimeout) return
  throw new MicroError(
    'invalid_argument',
    `timeout: ${timeout}; give milliseconds above 0 and at most ${longestTimeout}`,
    { processed: 'no' },
  )
}

keepShape(new Attempts(rootContext, {} as ClientMethodInfo, {}, undefined, {} as Policy))
