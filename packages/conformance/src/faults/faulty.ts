import { type Component, isPromise } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { FaultPlan, Injection } from './fault.ts'
import { inject } from './inject.ts'
import { overlay } from './overlay.ts'
import { faultableMethods, type MethodShapes, shapesOf } from './shapes.ts'
import { createWaits } from './waits.ts'

export interface FaultyOptions {
  /** For a contract of your own: the methods that do I/O, and what they return. @default core's */
  readonly methods?: MethodShapes
}

export type Faulty<C extends Component> = C & {
  /** What was injected so far, in order: `scripted(injected)` does it again. */
  readonly injected: readonly Injection[]
}

/**
 * `component`, whose calls fail as the plan says. Only methods that do I/O are touched: neither
 * `connect`, `close` nor `health`, and nothing once it is closed. Closing it ends all that was dropped or
 * held back.
 *
 * @throws `invalid_argument` naming what the plan asks of the component that it does not have.
 */
export function faulty<C extends Component>(
  component: C,
  plan: FaultPlan,
  options: FaultyOptions = {},
): Faulty<C> {
  const shapes = shapesOf(component, options.methods)
  const decide = plan.start(faultableMethods(shapes))
  const injected: Injection[] = []
  const waits = createWaits()
  const counts = new Map<string, number>()
  const heldBack = new Map<string, () => void>()
  const closed = new WeakSet<object>()

  const call = (path: string, shape: MethodShapes[string], owner: object, made: Made): unknown => {
    const number = (counts.get(path) ?? 0) + 1
    counts.set(path, number)
    const overtake = heldBack.get(path)
    heldBack.delete(path)
    const fault = decide(path, number)
    const signal = fault === undefined ? undefined : signalOf(made.args)
    const over = closed.has(component) || closed.has(owner) || signal?.aborted === true
    if (fault === undefined || over) return whenDone(made.run, overtake)
    injected.push({ ...fault, method: path, call: number })
    const overtaken = (): Promise<void> =>
      new Promise((resolve) => {
        heldBack.set(path, resolve)
      })
    const place = `call ${number} of ${path}`
    const faulted = { place, shape, owner, signal, waits, run: made.run, overtaken }
    return whenDone(() => inject(fault, faulted), overtake)
  }

  const wrap = <T extends object>(target: T, methods: MethodShapes, prefix: string): T =>
    overlay(target, (key, value) => {
      if (key === 'injected' && target === (component as object)) return injected
      if (typeof value !== 'function' || key === 'constructor') return value
      if (key === 'close' || key === Symbol.asyncDispose) {
        return (...args: unknown[]) => {
          closed.add(target)
          const everything = target === (component as object)
          waits.end(closedError(component, everything), everything ? undefined : target)
          return Reflect.apply(value, target, args)
        }
      }
      const shape =
        typeof key === 'string' && Object.hasOwn(methods, key) ? methods[key] : undefined
      if (shape === undefined) return value
      const path = `${prefix}${String(key)}`
      return (...args: unknown[]) => {
        const run = (): unknown => Reflect.apply(value, target, args)
        if (typeof shape === 'string') return call(path, shape, target, { args, run })
        return wrap(run() as object, shape.handle, `${path}.`)
      }
    })

  return wrap(component, shapes, '') as Faulty<C>
}

interface Made {
  readonly args: readonly unknown[]
  readonly run: () => unknown
}

function closedError(component: Component, everything: boolean): MicroError {
  const [kind] = component.contract.split('/')
  const label = `${kind} "${component.name}"`
  if (everything) return new MicroError('failed_precondition', `${label} is closed`)
  return new MicroError('unavailable', `a connection of ${label} was closed while the call ran`)
}

/** Of the options of a call, or of its context. */
function signalOf(args: readonly unknown[]): AbortSignal | undefined {
  for (const arg of args) {
    if (typeof arg !== 'object' || arg === null || !('signal' in arg)) continue
    if (arg.signal instanceof AbortSignal) return arg.signal
  }
  return undefined
}

function whenDone(work: () => unknown, done: (() => void) | undefined): unknown {
  if (done === undefined) return work()
  let result: unknown
  try {
    result = work()
  } catch (error) {
    done()
    throw error
  }
  if (isPromise(result)) result.then(done, done)
  else done()
  return result
}
