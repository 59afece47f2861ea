import type { Context } from '@micro/core/context'

/** @throws why the call is over before it begins; nothing is sent then. */
export function requireTime(context: Context): void {
  // The clock may not have looked yet.
  if (context.remaining() === 0) context.expire()
  context.throwIfCancelled()
}
