import { Context, rootContext } from '@micro/core/context'
import type { Connection } from '@micro/core/transport'
import type { BrokenTransport } from './broken-calls.ts'
import type { TransportFault } from './wired-transports.ts'

/** Deadlines and cancellations that do not get through. */
export const brokenContexts: readonly BrokenTransport[] = [
  ['deadlines', 'sends none', { connection: withContext(() => ({})) }],
  [
    'deadlines',
    'rounds up to a minute',
    {
      connection: withContext((context) => ({
        timeout: Math.max(context.remaining(), 60_000),
      })),
    },
  ],
  [
    'deadlines',
    'takes seconds for milliseconds',
    { connection: withContext((context) => ({ timeout: context.remaining() / 1_000 })) },
  ],
  ['deadlines', 'does not tell the receiver', { receiver: alone() }],
  ['cancellation', 'does not tell the receiver', { receiver: alone() }],
  ['cancellation', 'waits for the receiver first', { connection: withContext(() => ({})) }],
  [
    'cancellation',
    'takes the end of a call for the end of its messages',
    {
      receiver: ({ stream }) => ({
        stream(head, messages, ...rest) {
          const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
            try {
              return await messages.next()
            } catch {
              return { done: true, value: undefined }
            }
          }
          return stream(head, Object.create(messages, { next: { value: next } }), ...rest)
        },
      }),
    },
  ],
  [
    'cancellation',
    'closes the connection',
    {
      connection: ({ unary, close }) => ({
        unary(head, body, context) {
          context.onCancel(() => void close())
          return unary(head, body, context)
        },
      }),
    },
  ],
]
/** The caller’s context does not end the call that is made for it. */
function withContext(
  options: (context: Context) => { readonly timeout?: number },
): NonNullable<TransportFault['connection']> {
  return ({ unary, stream }: Connection) => ({
    async unary(head, body, context) {
      const reply = await unary(head, body, new Context(rootContext, options(context)))
      context.throwIfCancelled()
      return reply
    },
    stream: (head, context) => stream(head, new Context(rootContext, options(context))),
  })
}

/** The receiver’s context lives on by itself. */
function alone(): NonNullable<TransportFault['receiver']> {
  const apart = (context: Context): Context => {
    const timeout = context.remaining()
    return new Context(rootContext, Number.isFinite(timeout) ? { timeout } : {})
  }
  return ({ unary, stream }) => ({
    unary: (head, body, context, peer) => unary(head, body, apart(context), peer),
    stream: (head, messages, context, peer) => stream(head, messages, apart(context), peer),
  })
}
