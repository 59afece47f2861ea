/** About 90 bytes as JSON. */
export const payload = {
  id: 1_234_567,
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  tags: ['analyst', 'first'],
  ok: true,
}

export type Payload = typeof payload
