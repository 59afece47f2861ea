import type { Context } from '@micro/core/context'
import { type Handlers, untilCancelled } from './pair.ts'

/** A call that has been received and does not end by itself. */
interface Held {
  /** The receiver's. */
  readonly context: Context
  /** Resolves with the reason once the receiver's context is cancelled. */
  readonly cancelled: Promise<unknown>
}

/** A server whose calls hang until they are cancelled. */
export interface Hanging {
  readonly handlers: Required<Handlers>
  /** Calls received so far. */
  readonly received: number
  /** The next call to be received, each of them once. */
  next(): Promise<Held>
}

export function createHanging(): Hanging {
  const arrived: Held[] = []
  const waiting: ((held: Held) => void)[] = []
  let received = 0
  const hold = (context: Context): Promise<never> => {
    received += 1
    const held = {
      context,
      cancelled: new Promise<unknown>((resolve) => context.onCancel(resolve)),
    }
    const wake = waiting.shift()
    if (wake === undefined) arrived.push(held)
    else wake(held)
    return untilCancelled(context)
  }
  return {
    handlers: {
      unary: (_head, _body, context) => hold(context),
      stream(_head, stream, context) {
        stream.open()
        return hold(context)
      },
    },
    get received() {
      return received
    },
    next() {
      const held = arrived.shift()
      return held === undefined
        ? new Promise((resolve) => waiting.push(resolve))
        : Promise.resolve(held)
    },
  }
}
