import type { ServerContext } from './server-context.ts'

/** The calls that a server runs. A list through the contexts themselves: joining allocates nothing. */
export class RunningCalls {
  size = 0
  #first: ServerContext | undefined = undefined

  add(call: ServerContext): void {
    const first = this.#first
    call.nextCall = first
    if (first !== undefined) first.previousCall = call
    this.#first = call
    this.size += 1
  }

  /** Of a call that was added and not yet removed. */
  remove(call: ServerContext): void {
    const { nextCall, previousCall } = call
    if (previousCall !== undefined) previousCall.nextCall = nextCall
    else this.#first = nextCall
    if (nextCall !== undefined) nextCall.previousCall = previousCall
    call.nextCall = undefined
    call.previousCall = undefined
    this.size -= 1
  }

  cancelAll(reason: unknown): void {
    // Cancelling one may remove others, so the list is copied first.
    const calls: ServerContext[] = []
    for (let call = this.#first; call !== undefined; call = call.nextCall) calls.push(call)
    for (const call of calls) call.cancel(reason)
  }
}
