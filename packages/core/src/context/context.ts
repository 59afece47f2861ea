import { MicroError } from '../errors/micro-error.ts'
import type { Metadata } from '../metadata/metadata.ts'
import type { TraceContext } from '../tracer/tracer.ts'
import { joinWheel, leaveWheel, type WheelEntry } from './deadline-wheel.ts'
import type { ContextKey } from './key.ts'

export interface ContextOptions {
  /** Milliseconds from now; the parent's deadline holds if it is earlier. */
  readonly timeout?: number | undefined
  /** Whose abort cancels the context, with that signal's `reason`. */
  readonly signal?: AbortSignal | undefined
}

type CancelListener = (reason: unknown) => void

/**
 * Deadline, cancellation, trace and values of one call, in a tree: cancelling one cancels all below.
 *
 * Made for the call path: no timer until `arm`, no `AbortController` until `signal` is read, links
 * to parent and siblings inside the object. Whoever makes one calls `finish` when the work is over.
 */
export class Context implements WheelEntry {
  // The fields are declared, and set by the constructor, since calls make two of these each: an
  // initializer would run as a function of its own.
  /** On the clock of `performance.now()`; `Infinity` without one. */
  declare readonly deadline: number
  declare trace: TraceContext | undefined
  /** Metadata that nested calls pass on. */
  declare forwarded: Metadata | undefined
  /** True below a call that is itself a retry: such calls are not retried again. */
  declare retried: boolean
  /** Why it was cancelled: what `signal.reason` says. */
  declare reason: unknown

  // Intrusive links, for the tree and the deadline wheel only. Not #private: another copy of this
  // library in the process links its contexts into the same tree.
  declare wheelTick: number
  declare wheelNext: WheelEntry | undefined
  declare wheelPrevious: WheelEntry | undefined

  declare private parent: Context | undefined
  declare private firstChild: Context | undefined
  declare private nextSibling: Context | undefined
  declare private previousSibling: Context | undefined

  declare private state: 'active' | 'cancelled' | 'finished'
  declare private controller: AbortController | undefined
  declare private listeners: CancelListener | CancelListener[] | undefined
  declare private values: Map<symbol, unknown> | undefined
  declare private outside: { signal: AbortSignal; listener: () => void } | undefined

  constructor(parent: Context | undefined, options?: ContextOptions) {
    this.parent = parent
    if (parent === undefined) {
      this.deadline = Number.POSITIVE_INFINITY
      this.trace = undefined
      this.forwarded = undefined
      this.retried = false
    } else {
      this.deadline = parent.deadline
      this.trace = parent.trace
      this.forwarded = parent.forwarded
      this.retried = parent.retried
    }
    this.reason = undefined
    this.wheelTick = -1
    this.wheelNext = undefined
    this.wheelPrevious = undefined
    this.firstChild = undefined
    this.nextSibling = undefined
    this.previousSibling = undefined
    this.state = 'active'
    this.controller = undefined
    this.listeners = undefined
    this.values = undefined
    this.outside = undefined
    // The root never ends, so its children need not be found from it.
    if (parent !== undefined && parent.parent !== undefined) this.attach(parent)
    if (options?.timeout !== undefined) this.limit(options.timeout)
    if (options?.signal !== undefined) this.follow(options.signal)
  }

  /** Aborts when the context is cancelled, with its reason. Made when first asked for. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      if (this.state === 'cancelled') this.controller.abort(this.reason)
      else if (this.state === 'active') this.arm()
    }
    return this.controller.signal
  }

  get cancelled(): boolean {
    return this.state === 'cancelled'
  }

  get finished(): boolean {
    return this.state !== 'active'
  }

  /** Milliseconds left, at least 0; `Infinity` without a deadline. */
  remaining(): number {
    if (this.deadline === Number.POSITIVE_INFINITY) return this.deadline
    return Math.max(0, this.deadline - performance.now())
  }

  /** @throws the reason, if cancelled. */
  throwIfCancelled(): void {
    if (this.state === 'cancelled') throw this.reason
  }

  /**
   * Milliseconds left, more than 0; `Infinity` without a deadline.
   *
   * @throws the reason, if cancelled: also by a deadline that has passed without the clock having looked.
   */
  requireTime(): number {
    const remaining = this.remaining()
    if (remaining === 0) this.expire()
    this.throwIfCancelled()
    return remaining
  }

  /** Watches the deadline from now on. Called once work turns out not to end at once. */
  arm(): void {
    if (this.deadline === Number.POSITIVE_INFINITY) return
    if (this.wheelTick < 0 && this.state === 'active') joinWheel(this, this.deadline)
  }

  /** Calls `listener` once on cancellation, at once if already cancelled. Returns the removal. */
  onCancel(listener: CancelListener): () => void {
    if (this.state === 'cancelled') listener(this.reason)
    if (this.state !== 'active') return nothing
    this.arm()
    const listeners = this.listeners
    if (listeners === undefined) this.listeners = listener
    else if (typeof listeners === 'function') this.listeners = [listeners, listener]
    else listeners.push(listener)
    return () => this.removeListener(listener)
  }

  /** Cancels this context and all below it. The first reason stays. */
  cancel(reason: unknown): void {
    if (this.state !== 'active') return
    this.state = 'cancelled'
    this.reason = reason
    this.release()
    while (this.firstChild !== undefined) {
      const child = this.firstChild
      child.detachFrom(this)
      child.cancel(reason)
    }
    this.controller?.abort(reason)
    this.onCancelled(reason)
    const listeners = this.listeners
    this.listeners = undefined
    if (typeof listeners === 'function') listeners(reason)
    else if (listeners !== undefined) for (const listener of listeners) listener(reason)
  }

  /** Whether values of those above are none of its own: calls in process carry what others carry. */
  protected get isolated(): boolean {
    return false
  }

  /** For subclasses that listen to themselves, without the cost of a listener. */
  protected onCancelled(_reason: unknown): void {}

  /** The work is over: frees links, timer and listeners. Contexts below are cancelled. */
  finish(): void {
    if (this.state !== 'active') return
    if (this.firstChild !== undefined) {
      this.cancel(new MicroError('cancelled', 'the call that this one was made for has ended'))
      return
    }
    this.state = 'finished'
    this.listeners = undefined
    this.release()
  }

  /** The deadline has passed; called by the wheel. */
  expire(): void {
    this.cancel(new MicroError('deadline_exceeded', 'the deadline has passed'))
  }

  get<T>(key: ContextKey<T>): T | undefined {
    for (let context: Context | undefined = this; context !== undefined; context = context.parent) {
      const values = context.values
      if (values?.has(key.id) === true) return values.get(key.id) as T
      if (context.isolated) return undefined
    }
    return undefined
  }

  /** Sets a value for this context and those below it. */
  set<T>(key: ContextKey<T>, value: T): void {
    this.values ??= new Map()
    this.values.set(key.id, value)
  }

  private attach(parent: Context): void {
    if (parent.state === 'cancelled') {
      this.cancel(parent.reason)
      return
    }
    if (parent.state === 'finished') {
      this.cancel(
        new MicroError('cancelled', 'the call that this one was made for has ended; use detach()'),
      )
      return
    }
    const first = parent.firstChild
    this.nextSibling = first
    if (first !== undefined) first.previousSibling = this
    parent.firstChild = this
  }

  private detachFrom(parent: Context): void {
    if (this.previousSibling !== undefined) this.previousSibling.nextSibling = this.nextSibling
    else if (parent.firstChild === this) parent.firstChild = this.nextSibling
    if (this.nextSibling !== undefined) this.nextSibling.previousSibling = this.previousSibling
    this.nextSibling = undefined
    this.previousSibling = undefined
  }

  /** For constructors: a deadline in `timeout` milliseconds, unless the inherited one is earlier. */
  protected limit(timeout: number): void {
    const deadline = performance.now() + timeout
    if (deadline < this.deadline) (this as { deadline: number }).deadline = deadline
  }

  /** For constructors: cancels with the signal. */
  protected follow(signal: AbortSignal): void {
    if (this.state !== 'active') return
    if (signal.aborted) {
      this.cancel(signal.reason)
      return
    }
    const listener = (): void => this.cancel(signal.reason)
    this.outside = { signal, listener }
    signal.addEventListener('abort', listener, { once: true })
  }

  private release(): void {
    if (this.wheelTick >= 0) leaveWheel(this)
    const parent = this.parent
    if (parent !== undefined && parent.parent !== undefined) this.detachFrom(parent)
    if (this.outside !== undefined) {
      this.outside.signal.removeEventListener('abort', this.outside.listener)
      this.outside = undefined
    }
  }

  private removeListener(listener: CancelListener): void {
    const listeners = this.listeners
    if (listeners === listener) this.listeners = undefined
    else if (Array.isArray(listeners)) {
      const at = listeners.indexOf(listener)
      if (at >= 0) listeners.splice(at, 1)
    }
  }
}

function nothing(): void {}

const kept: object[] = []

/**
 * Keeps one object of a short-lived class for ever. V8 throws away the optimized code of a class when a
 * collection finds no object of it alive, as between two calls, and begins anew to optimize: half of the
 * time of calls in process went there.
 */
export function keepShape(exemplar: object): void {
  kept.push(exemplar)
}

/** The parent of all: no deadline, never cancelled. */
export const rootContext: Context = new Context(undefined)
