import type { Context } from '@micro/core/context'
import { probeHeaders } from '../wire/health-messages.ts'
import { cancel } from './cancel.ts'
import type { RunningCall, Session } from './session.ts'

/** One round trip to the server's application. Any answer will do: not every server has health checks. */
export function ping(session: Session, context: Context): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const stream = session.open(probeHeaders(session.address))
    stream.end()
    let answered = false
    let cause: unknown
    const call: RunningCall = {
      fail(error) {
        reject(error)
        cancel(stream)
      },
    }
    session.add(call)
    const removeListener = context.onCancel(call.fail)
    stream.on('response', () => {
      answered = true
    })
    stream.on('error', (error) => {
      cause = error
    })
    stream.on('close', () => {
      removeListener()
      session.forget(call)
      if (answered) resolve()
      else reject(session.explain(stream, cause))
    })
    stream.resume()
  })
}
