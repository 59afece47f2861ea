import { Metadata } from '@micro/core/metadata'
import type { BrokenTransport } from './broken-calls.ts'

const nothing = async (): Promise<void> => undefined
const never = (): Promise<never> => new Promise(() => undefined)

export const brokenConnections: readonly BrokenTransport[] = [
  [
    'concurrency',
    'gives calls the reply of another',
    {
      receiver({ unary }) {
        let last = new Uint8Array()
        return {
          async unary(head, body, ...rest) {
            last = Uint8Array.from(body)
            return { ...(await unary(head, body, ...rest)), body: last }
          },
        }
      },
    },
  ],
  [
    'concurrency',
    'makes one call after the other',
    {
      connection({ unary }) {
        let tail: Promise<unknown> = Promise.resolve()
        return {
          unary(...call) {
            const reply = tail.then(() => unary(...call))
            tail = reply
            return reply
          },
        }
      },
    },
  ],
  [
    'concurrency',
    'has room for 50 streams',
    {
      receiver({ stream }) {
        let open = 0
        return {
          async stream(...call) {
            open += 1
            return open > 50 ? never() : stream(...call)
          },
        }
      },
    },
  ],
  ['limits', 'takes more than it says', { abilities: { maxMessageSize: 1 << 19 } }],
  ['limits', 'takes less than it says', { abilities: { maxMessageSize: 1 << 21 } }],
  [
    'limits',
    'breaks with a message that is too large',
    {
      connection: ({ unary, stream, close }) => ({
        unary(head, body, context) {
          if (body.length > 1 << 20) void close()
          return unary(head, body, context)
        },
        stream,
      }),
    },
  ],
  ['closing', 'does not drain listeners', { listener: () => ({ drain: nothing }) }],
  ['closing', 'does not drain connections', { connection: () => ({ drain: nothing }) }],
  [
    'closing',
    'drains for ever',
    { listener: () => ({ drain: never }), connection: () => ({ drain: never }) },
  ],
  ['closing', 'does not close listeners', { listener: () => ({ close: nothing }) }],
  ['closing', 'does not close connections', { connection: () => ({ close: nothing }) }],
  ['closing', 'waits for calls when it closes', { listener: ({ drain }) => ({ close: drain }) }],
  ['closing', 'holds calls that it says it does not', { abilities: { inProcess: true } }],
  ['ping', 'answers for the server', { connection: () => ({ ping: nothing }) }],
  [
    'ping',
    'calls the receiver',
    {
      connection: ({ unary }) => ({
        async ping(context) {
          const head = {
            service: 'conformance',
            method: 'say',
            kind: 'unary',
            idempotency: 'unknown',
            contentType: 'application/json',
            metadata: new Metadata(),
          } as const
          await unary(head, new Uint8Array(), context)
        },
      }),
    },
  ],
  ['ping', 'hides that it has one', { abilities: { ping: false } }],
  [
    'lifecycle',
    'goes on after close',
    { transport: () => ({ close: nothing, [Symbol.asyncDispose]: nothing }) },
  ],
  [
    'lifecycle',
    'ignores signals',
    { transport: ({ listen }) => ({ listen: (receiver) => listen(receiver) }) },
  ],
]
