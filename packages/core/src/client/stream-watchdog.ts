import { unrefTimer } from '../component/timing.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { ClientStream } from '../transport/transport.ts'
import type { Attempts } from './attempts.ts'

const defaultOpenTimeout = 5_000
const defaultIdleTimeout = 60_000

export interface StreamWatchdog {
  /** Passes `step` on; while it is pending, the peer owes a sign of life. */
  wait<T>(step: Promise<T>): Promise<T>
  stop(): void
}

/**
 * Cancels the call if the server does not accept the stream in time, or is silent for too long while
 * the caller waits for it. A caller that reads slowly is not the server's silence.
 */
export function watchStream(stream: ClientStream, call: Attempts): StreamWatchdog {
  const openTimeout = call.options.openTimeout ?? defaultOpenTimeout
  const idleTimeout = call.options.idleTimeout ?? defaultIdleTimeout
  let opening: ReturnType<typeof setTimeout> | undefined
  let idle: ReturnType<typeof setTimeout> | undefined
  let waitingSince: number | undefined
  const giveUp = (why: string): void => {
    call.cancel(new MicroError('deadline_exceeded', why, { processed: 'unknown' }))
  }
  const opened = (): void => clearTimeout(opening)
  const look = (): void => {
    const silent =
      waitingSince === undefined
        ? 0
        : performance.now() - Math.max(waitingSince, stream.lastActivity)
    if (silent >= idleTimeout) giveUp(`no message or ping for ${idleTimeout} ms (idleTimeout)`)
    else idle = unrefTimer(setTimeout(look, Math.max(1, idleTimeout - silent)))
  }

  if (openTimeout > 0) {
    opening = unrefTimer(
      setTimeout(
        () => giveUp(`the server did not accept the stream within ${openTimeout} ms (openTimeout)`),
        openTimeout,
      ),
    )
  }
  if (idleTimeout > 0) idle = unrefTimer(setTimeout(look, idleTimeout))
  stream.headers.then(opened, opened)

  return {
    async wait(step) {
      waitingSince = performance.now()
      try {
        return await step
      } finally {
        waitingSince = undefined
      }
    },
    stop() {
      clearTimeout(opening)
      clearTimeout(idle)
    },
  }
}
