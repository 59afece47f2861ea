import { defineService, unary } from '@micro/core'

/** Logs people in. Who may ask is in rules.json. */
export const Users = defineService('users', {
  logIn: unary<{ name: string }, { token: string }>(),
})

export const Orders = defineService('orders', {
  /** For people, whoever brings their token: declared here, as no rule says otherwise. */
  place: unary<{ item: string }, { placed: string; by: string; charged: string }>({
    access: { scopes: ['orders:write'] },
  }),
  refund: unary<{ item: string }, { refunded: string }>(),
})

export const Billing = defineService('billing', {
  charge: unary<{ item: string }, { by: string }>(),
})
