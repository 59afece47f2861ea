import { MicroError } from '@micro/core/errors'
import { Metadata } from '@micro/core/metadata'
import type { ClientStream } from '@micro/core/transport'

/** Opens the source when it is first read, after `gate`. */
export async function* deferIterable(
  gate: () => Promise<void>,
  open: () => AsyncIterable<unknown>,
): AsyncGenerator<unknown> {
  await gate()
  yield* open()
}

/** A stream that is there at once, as it must be, and opened after `gate`. */
export function deferStream(
  gate: (given: AbortSignal) => Promise<void>,
  open: () => ClientStream,
): ClientStream {
  const giving = new AbortController()
  let real: ClientStream | undefined
  const start = async (): Promise<ClientStream> => {
    await gate(giving.signal)
    real = open()
    return real
  }
  const started = start()
  const headers = started.then((stream) => stream.headers)
  // A stream that nobody reads fails unheard, as any other.
  headers.catch(() => undefined)
  const since = performance.now()
  const noTrailers = new Metadata()
  const stream: ClientStream = {
    headers,
    get trailers() {
      return real?.trailers ?? noTrailers
    },
    get lastActivity() {
      return real?.lastActivity ?? since
    },
    write: async (message) => (await started).write(message),
    end: async () => (await started).end(),
    next: async () => (await started).next(),
    async return() {
      giving.abort(new MicroError('cancelled', 'the caller has ended the stream'))
      await real?.return?.()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => stream,
  }
  return stream
}
