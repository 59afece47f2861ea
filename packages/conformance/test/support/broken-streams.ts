import type { ClientStream, ServerStream } from '@micro/core/transport'
import type { BrokenTransport } from './broken-calls.ts'
import type { TransportFault } from './wired-transports.ts'

/** Replaces members of the receiver's side of a stream. */
function atServer(change: (stream: ServerStream) => Partial<ServerStream>): TransportFault {
  return {
    receiver: ({ stream }) => ({
      stream: (head, messages, ...rest) =>
        stream(head, replaced(messages, change(messages)), ...rest),
    }),
  }
}

/** Replaces members of the caller's side. */
function atClient(change: (stream: ClientStream) => Partial<ClientStream>): TransportFault {
  return {
    connection: ({ stream }) => ({
      stream(head, context) {
        const made = stream(head, context)
        return replaced(made, change(made))
      },
    }),
  }
}

function replaced<T extends object>(stream: T, members: Partial<T>): T {
  const made: T = Object.create(stream, Object.getOwnPropertyDescriptors(members))
  Object.defineProperty(made, Symbol.asyncIterator, { value: () => made })
  return made
}

const never = (): Promise<never> => new Promise(() => undefined)

/** Accepts all at once, and keeps what there is no room for. */
function boundless(stream: Pick<ClientStream, 'write'>): Pick<ClientStream, 'write'> {
  let tail = Promise.resolve()
  return {
    write(message) {
      tail = tail.then(() => stream.write(message)).catch(() => undefined)
    },
  }
}

/** A writer that waits for room is not told that none comes. */
function stuck(stream: Pick<ClientStream, 'write'>): Pick<ClientStream, 'write'> {
  return {
    async write(message) {
      try {
        await stream.write(message)
      } catch {
        await never()
      }
    },
  }
}

export const brokenStreams: readonly BrokenTransport[] = [
  [
    'streams',
    'swaps messages on their way down',
    atServer((stream) => {
      let kept: Uint8Array | undefined
      return {
        async write(message) {
          if (kept === undefined) {
            kept = message
            return
          }
          await stream.write(message)
          await stream.write(kept)
          kept = undefined
        },
      }
    }),
  ],
  [
    'streams',
    'loses messages that are empty, and the last byte of others',
    atServer((stream) => ({
      async next() {
        for (;;) {
          const step = await stream.next()
          if (step.done === true) return step
          if (step.value.length > 0) return { done: false, value: step.value.subarray(0, -1) }
        }
      },
    })),
  ],
  [
    'streams',
    'sends headers with the first message only',
    atServer(() => ({ open: () => undefined })),
  ],
  [
    'streams',
    'ends both halves with one',
    atClient((stream) => ({
      async end() {
        await stream.return?.()
      },
    })),
  ],
  ['streams', 'hides that it goes both ways', { abilities: { bidi: false } }],
  ['flow', 'accepts all that a client writes', atClient(boundless)],
  ['flow', 'accepts all that a server writes', atServer(boundless)],
  ['flow', 'leaves a client waiting', atClient(stuck)],
  ['flow', 'leaves a server waiting', atServer(stuck)],
  [
    'flow',
    'has one stream at a time',
    {
      connection({ unary, stream }) {
        let open = 0
        return {
          unary: (...call) => (open > 0 ? never() : unary(...call)),
          stream(...call) {
            open += 1
            return stream(...call)
          },
        }
      },
    },
  ],
  [
    'endings',
    'ends well where the receiver failed',
    {
      receiver: ({ stream }) => ({
        stream: (...call) => stream(...call).catch(() => undefined),
      }),
    },
  ],
  [
    'endings',
    'keeps it to itself that a client has returned',
    atClient(() => ({ return: async () => ({ done: true, value: undefined }) })),
  ],
  ['endings', 'leaves a client waiting', atClient(stuck)],
  [
    'endings',
    'ends both halves when the receiver reads no more',
    atServer((stream) => {
      let left = false
      return {
        async return() {
          left = true
          return { done: true, value: undefined }
        },
        write: (message) => (left ? never() : stream.write(message)),
      }
    }),
  ],
  [
    'endings',
    'does not stay ended',
    atClient((stream) => {
      let ended = false
      return {
        async next() {
          if (ended) return never()
          const step = await stream.next()
          ended = step.done === true
          return step
        },
      }
    }),
  ],
  [
    'endings',
    'cancels what has ended well',
    {
      receiver: ({ stream }) => ({
        async stream(head, messages, context, peer) {
          const trailers = await stream(head, messages, context, peer)
          context.cancel(new Error('over'))
          return trailers
        },
      }),
    },
  ],
]
