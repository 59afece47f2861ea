import { createRequire } from 'node:module'

interface RequestQueue {
  readonly throttledUntil: number
  readonly pending: readonly unknown[]
}

let mended = false

/**
 * kafkajs sets a timer after each answer, with a negative time unless Kafka throttles it: Node warns
 * (`TimeoutNegativeWarning`), and wakes up for nothing. There is nobody left to mend it in the library.
 */
export function mendRequestQueue(): void {
  if (mended) return
  mended = true
  const { prototype } = createRequire(import.meta.url)(
    'kafkajs/src/network/requestQueue/index.js',
  ) as { readonly prototype: { scheduleCheckPendingRequests(this: RequestQueue): void } }
  const schedule = prototype.scheduleCheckPendingRequests
  prototype.scheduleCheckPendingRequests = function (): void {
    if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this)
  }
}
