import { defineService, serverStream, unary } from '@micro/core'

/** The contract that the tour's processes share. */
export const Greeter = defineService('greeter', {
  hello: unary<{ name: string }, { text: string; by: string }>({ idempotency: 'idempotent' }),
  countdown: serverStream<{ from: number }, { n: number; by: string }>(),
})
