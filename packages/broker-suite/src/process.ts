import type { Broker } from '@micro/core/broker'

/** Takes messages of topic `a` in group `g`, says so, and never settles them. */
export async function takeAndHang(broker: Broker): Promise<void> {
  await broker.subscribe(
    'a',
    (_lane, batch) => {
      console.log(batch.map(({ body }) => new TextDecoder().decode(body)).join())
      return new Promise(() => undefined)
    },
    { group: 'g' },
  )
}
