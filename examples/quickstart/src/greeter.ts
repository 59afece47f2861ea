import { createService, defineService, serverStream, unary } from '@micro/core'
import { z } from 'zod'

export const Greeter = defineService('greeter', {
  hello: unary({ input: z.object({ name: z.string() }), output: z.object({ text: z.string() }) }),
  countdown: serverStream<{ from: number }, number>(),
})

const service = createService({ name: 'greeter' })
service.handle(Greeter, {
  hello: ({ name }) => ({ text: `Hello ${name}` }),
  async *countdown({ from }) {
    for (let n = from; n > 0; n--) yield n
  },
})
await service.start()

const greeter = service.client(Greeter)
console.log((await greeter.hello({ name: 'Ada' }, { timeout: 500 })).text)
for await (const n of greeter.countdown({ from: 3 })) console.log(n)
await service.stop()
