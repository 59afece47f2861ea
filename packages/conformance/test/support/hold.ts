import { Context, rootContext } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'

/** The calls of a listener or a connection, which end with it. */
export interface Hold {
  /** Runs a call in a context of its own, as the far side of a wire has. */
  run<T>(context: Context, work: (own: Context) => Promise<T>): Promise<T>
  drain(): Promise<void>
  close(): Promise<void>
}

export function createHold(): Hold {
  const running = new Set<(error: MicroError) => void>()
  const drained = Promise.withResolvers<void>()
  let draining = false

  const drain = (): Promise<void> => {
    draining = true
    if (running.size === 0) drained.resolve()
    return drained.promise
  }

  return {
    drain,
    async close() {
      const error = new MicroError('unavailable', 'closed while the call ran')
      for (const end of [...running]) end(error)
      await drain()
    },
    async run(context, work) {
      if (context.remaining() === 0) context.expire()
      context.throwIfCancelled()
      if (draining) throw new MicroError('unavailable', 'closed', { processed: 'no' })
      const timeout = context.remaining()
      const own = new Context(rootContext, Number.isFinite(timeout) ? { timeout } : {})
      const ended = Promise.withResolvers<never>()
      const removeListener = context.onCancel((reason) => {
        ended.reject(reason)
        own.cancel(new MicroError('cancelled', 'the client has gone'))
      })
      const end = (error: MicroError): void => {
        ended.reject(error)
        own.cancel(error)
      }
      running.add(end)
      try {
        return await Promise.race([work(own), ended.promise])
      } finally {
        removeListener()
        running.delete(end)
        own.finish()
        if (draining && running.size === 0) drained.resolve()
      }
    },
  }
}
