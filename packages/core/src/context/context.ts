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
  /** On the clock of `performance.now()`; `Infinity` without one. */
  readonly deadline: number
  trace: TraceContext | undefined
  /** Metadata that nested calls pass on. */
  forwarded: Metadata | undefined
  /** True below a call that is itself a retry: such calls are not retried again. */
  retried: boolean
  /** Why it was cancelled: what `signal.reason` says. */
  reason: unknown = undefined

  // Intrusive links, for the tree and the deadline wheel only. Not #private: another copy of this
  // library in the process links its contexts into the same tree.
  wheelTick = -1
  wheelNext: WheelEntry | undefined = undefined
  wheelPrevious: WheelEntry | undefined = undefined

  private parent: Context | undefined
  private firstChild: Context | undefined = undefined
  private nextSibling: Context | undefined = undefined
  private previousSibling: Context | undefined = undefined

  private state: 'active' | 'cancelled' | 'finished' = 'active'
  private controller: AbortController | undefined = undefined
  private listeners: CancelListener | CancelListener[] | undefined = undefined
  private values: Map<symbol, unknown> | undefined = undefined
  private outside: { signal: AbortSignal; listener: () => void } | undefined = undefined

  constructor(parent: Context | undefined, options?: ContextOptions) {
    this.parent = parent
    const inherited = parent === undefined ? Number.POSITIVE_INFINITY : parent.deadline
    const timeout = options?.timeout
    this.deadline =
      timeout === undefined ? inherited : Math.min(inherited, performance.now() + timeout)
    this.trace = parent?.trace
    this.forwarded = parent?.forwarded
    this.retried = parent?.retried ?? false
    // The root never ends, so its children need not be found from it.
    if (parent !== undefined && parent.parent !== undefined) this.attach(parent)
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

  private follow(signal: AbortSignal): void {
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

/** The parent of all: no deadline, never cancelled. */
export const rootContext: Context = new Context(undefined)
