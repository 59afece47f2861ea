import type { Awaitable } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import { Metadata } from '@micro/core/metadata'
import type { CallHead, CallReceiver, Reply } from '@micro/core/transport'
import type { TransportFault } from './wired-transports.ts'

export type BrokenTransport = readonly [trait: string, what: string, fault: TransportFault]

/** Changes what fails, on its way to the client. */
function withFailure(
  change: (error: MicroError) => unknown,
): NonNullable<TransportFault['receiver']> {
  const failing = async <T>(work: () => Awaitable<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw MicroError.is(error) ? change(error) : error
    }
  }
  return ({ unary, stream }) => ({
    unary: (...call) => failing(() => unary(...call)),
    stream: (...call) => failing(() => stream(...call)),
  })
}

/** Gives receivers and callers other metadata. */
function withMetadata(
  change: (metadata: Metadata) => Metadata,
): NonNullable<TransportFault['receiver']> {
  const headed = (head: CallHead): CallHead => ({ ...head, metadata: change(head.metadata) })
  return ({ unary, stream }) => ({
    unary: (head, ...rest) => unary(headed(head), ...rest),
    stream: (head, ...rest) => stream(headed(head), ...rest),
  })
}

function joined(metadata: Metadata): Metadata {
  return new Metadata(
    Object.fromEntries([...metadata.keys()].map((key) => [key, metadata.getAll(key).join(', ')])),
  )
}

function withUnary(
  make: (
    unary: CallReceiver['unary'],
    ...call: Parameters<CallReceiver['unary']>
  ) => Awaitable<Reply>,
): TransportFault {
  return { receiver: ({ unary }) => ({ unary: (...call) => make(unary, ...call) }) }
}

const all = new Metadata()

/** Unary calls that are wrong, and failures that are told wrongly. */
export const brokenCalls: readonly BrokenTransport[] = [
  [
    'unary',
    'loses the last byte',
    withUnary((unary, head, body, ...rest) => unary(head, body.subarray(0, -1), ...rest)),
  ],
  [
    'unary',
    'takes an empty body for an object',
    withUnary((unary, head, body, ...rest) =>
      unary(head, body.length === 0 ? new TextEncoder().encode('{}') : body, ...rest),
    ),
  ],
  [
    'unary',
    'does not say who calls',
    withUnary((unary, head, body, context) =>
      unary(head, body, context, { transport: 'memory', address: '' }),
    ),
  ],
  [
    'unary',
    'sends a call twice',
    withUnary(async (unary, ...call) => {
      await unary(...call)
      return unary(...call)
    }),
  ],
  [
    'unary',
    'takes any method for the first',
    withUnary((unary, head, ...rest) => unary({ ...head, method: 'say' }, ...rest)),
  ],
  ['metadata', 'joins the values of a key', { receiver: withMetadata(joined) }],
  [
    'metadata',
    'keeps what calls before sent',
    {
      receiver: withMetadata((metadata) => {
        for (const key of metadata.keys()) all.set(key, metadata.get(key) ?? '')
        return all
      }),
    },
  ],
  [
    'failures',
    'loses the detail',
    {
      receiver: withFailure(
        ({ code, processed }) => new MicroError(code, 'failed', { processed, details: [] }),
      ),
    },
  ],
  [
    'failures',
    'says of every failure that it was processed',
    { receiver: withFailure((error) => error.with({ processed: 'yes' })) },
  ],
  [
    'failures',
    'breaks with the first failure',
    {
      connection: ({ unary, close }) => ({
        async unary(...call) {
          try {
            return await unary(...call)
          } catch (error) {
            await close()
            throw error
          }
        },
      }),
    },
  ],
]
