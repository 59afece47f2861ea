/** Checked by the compiler alone: what must not compile is marked, and an unused mark is an error. */
import {
  bidiStream,
  clientStream,
  createService,
  defineService,
  type HandlerContext,
  serverStream,
  unary,
} from '@micro/core'
import { z } from 'zod'

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_equal: Equal<A, B>): void {}

const Shop = defineService('shop', {
  buy: unary({
    input: z.object({
      at: z.string().transform((text) => new Date(text)),
      count: z.number().default(1),
    }),
    output: z.object({ total: z.number().transform(String) }),
  }),
  plain: unary<{ a: number }, string>(),
  ping: unary(),
  list: serverStream<{ page: number }, { id: string }>(),
  upload: clientStream<Uint8Array, number>(),
  chat: bidiStream<string, string>(),
})
const service = createService({ name: 'shop' })
const client = service.client(Shop)

// A client writes what goes into the schema and reads what comes out of it.
same<Parameters<typeof client.buy>[0], { at: string; count?: number | undefined }>(true)
same<Awaited<ReturnType<typeof client.buy>>, { total: string }>(true)
same<Awaited<ReturnType<typeof client.plain>>, string>(true)
same<ReturnType<typeof client.list>, AsyncIterableIterator<{ id: string }>>(true)
same<ReturnType<typeof client.upload>, Promise<number>>(true)
client.ping()

// @ts-expect-error no such method
client.sell()
// @ts-expect-error a field of the wrong type
client.plain({ a: 'x' })
// @ts-expect-error a missing input
client.plain()
// @ts-expect-error an unknown option
client.plain({ a: 1 }, { timeuot: 5 })
// @ts-expect-error a stream is no promise
client.list({ page: 1 }).then()
// @ts-expect-error messages of the wrong type
client.upload(['text'])

const handlers = {
  buy: ({ at, count }: { at: Date; count: number }, context: HandlerContext) => {
    same<typeof context.signal, AbortSignal>(true)
    return { total: at.getTime() * count }
  },
  plain: ({ a }: { a: number }) => String(a),
  ping: () => undefined,
  async *list({ page }: { page: number }) {
    yield { id: String(page) }
  },
  upload: async (parts: AsyncIterable<Uint8Array>) => {
    let size = 0
    for await (const part of parts) size += part.length
    return size
  },
  async *chat(words: AsyncIterable<string>) {
    yield* words
  },
}
service.handle(Shop, handlers)
// @ts-expect-error a handler that returns something else
service.handle(Shop, { ...handlers, plain: () => 5 })
// @ts-expect-error a handler that wants another input
service.handle(Shop, { ...handlers, plain: ({ b }: { b: number }) => String(b) })
// @ts-expect-error a missing handler
service.handle(Shop, { buy: handlers.buy })
// @ts-expect-error a stream must be iterable
service.handle(Shop, { ...handlers, list: async () => [{ id: 'x' }] })

// Contexts of handlers are inferred without a word.
service.handle(Shop, {
  ...handlers,
  plain: ({ a }, context) => `${a.toFixed()} ${context.metadata.get('x')}`,
})
