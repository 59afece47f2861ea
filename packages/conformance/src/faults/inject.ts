import { MicroError } from '@micro/core/errors'
import type { ClientStream } from '@micro/core/transport'
import { cut } from './cut.ts'
import { deferIterable, deferStream } from './deferred.ts'
import type { Fault } from './fault.ts'
import type { MethodShape } from './shapes.ts'
import type { Waits } from './waits.ts'

export interface FaultedCall {
  /** `call 3 of read`, for errors. */
  readonly place: string
  readonly shape: MethodShape
  readonly owner: object
  readonly signal: AbortSignal | undefined
  readonly waits: Waits
  /** The call itself. */
  readonly run: () => unknown
  /** Resolves when the next call of the method has ended. */
  readonly overtaken: () => Promise<void>
}

/** Makes the call as `fault` would have it. What it returns has the shape of the method. */
export function inject(fault: Fault, call: FaultedCall): unknown {
  const { shape, run } = call
  if (shape === 'promise' || shape === 'watch') return injectIntoPromise(fault, call)
  if (fault.kind === 'cut') return cutOff(run(), fault.items, call)
  if (shape === 'stream') {
    return deferStream(
      (given) => gate(fault, call, given),
      () => run() as ClientStream,
    )
  }
  return deferIterable(
    () => gate(fault, call),
    () => run() as AsyncIterable<unknown>,
  )
}

async function injectIntoPromise(fault: Fault, call: FaultedCall): Promise<unknown> {
  const { run, signal } = call
  switch (fault.kind) {
    case 'cut':
      return cutOff(await run(), fault.items, call)
    case 'fail_after':
    case 'duplicate':
      await discard(run)
      // What the caller gave up ends as it would have without the fault.
      signal?.throwIfAborted()
      if (fault.kind === 'duplicate') return run()
      throw failure(`the answer to ${call.place} was lost`, 'unknown')
    default:
      await gate(fault, call)
      return run()
  }
}

/** What happens before the call is made. */
async function gate(fault: Fault, call: FaultedCall, given?: AbortSignal): Promise<void> {
  const { owner, waits } = call
  const signals = [call.signal, given].filter((one) => one !== undefined)
  const signal = signals.length > 1 ? AbortSignal.any(signals) : signals[0]
  switch (fault.kind) {
    case 'delay':
      return waits.wait({ owner, signal, milliseconds: fault.milliseconds })
    case 'reorder': {
      const until = call.overtaken()
      return waits.wait({ owner, signal, milliseconds: fault.milliseconds, until })
    }
    case 'drop':
      return waits.wait({ owner, signal })
    default:
      throw failure(`${call.place} failed before it was made`, 'no')
  }
}

/** Makes the call for its effect. A watch or lock that nobody will get is let go. */
async function discard(run: () => unknown): Promise<void> {
  try {
    const result = await run()
    if (typeof result === 'object' && result !== null && Symbol.asyncDispose in result) {
      await (result as AsyncDisposable)[Symbol.asyncDispose]()
    }
  } catch {
    // Nobody gets this answer, be it good or bad.
  }
}

function cutOff(source: unknown, items: number, { place }: FaultedCall): unknown {
  return cut(source as AsyncIterable<unknown>, items, () =>
    failure(`${place} was cut off after ${items} items`, 'unknown'),
  )
}

function failure(what: string, processed: 'no' | 'unknown'): MicroError {
  return new MicroError('unavailable', `injected fault: ${what}`, { processed })
}
