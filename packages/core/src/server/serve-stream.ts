import { isPromise } from '../component/promises.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { ServerStream } from '../transport/transport.ts'
import type { BoundMethod, MethodCodecs } from './bound-method.ts'
import type { ServerContext } from './server-context.ts'

/** Runs a streaming handler between a stream's two directions. Resolves when all is written. */
export async function serveStream(
  method: BoundMethod,
  codecs: MethodCodecs,
  stream: ServerStream,
  call: ServerContext,
): Promise<void> {
  const incoming = decoded(stream, codecs)
  const streamsIn = method.kind === 'client_stream' || method.kind === 'bidi_stream'
  try {
    const input = streamsIn ? incoming : await onlyMessage(incoming, call)
    const result = method.run(input, call)
    if (method.kind === 'server_stream' || method.kind === 'bidi_stream') {
      await writeAll((await result) as AsyncIterableIterator<unknown>, codecs, stream, call)
    } else {
      // The caller learns that the stream was accepted before the answer is there.
      if (isPromise(result)) stream.open(call.sentHeaders)
      const value = await result
      stream.open(call.sentHeaders)
      await stream.write(codecs.output.encode(value))
    }
  } finally {
    // Frees the transport if the handler left messages unread.
    await incoming.return?.()
  }
}

/** Ends with the call, although the handler may be stuck in an await at that moment. */
function writeAll(
  results: AsyncIterableIterator<unknown>,
  codecs: MethodCodecs,
  stream: ServerStream,
  call: ServerContext,
): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    call.onCancel((reason) => {
      release(results)
      reject(reason)
    })
    pump(results, codecs, stream, call).then(resolve, reject)
  })
}

async function pump(
  results: AsyncIterableIterator<unknown>,
  codecs: MethodCodecs,
  stream: ServerStream,
  call: ServerContext,
): Promise<void> {
  let finished = false
  try {
    const first = results.next()
    // By now the handler has run up to its first await, so its headers are set.
    stream.open(call.sentHeaders)
    let step = await first
    while (step.done !== true) {
      call.throwIfCancelled()
      const room = stream.write(codecs.output.encode(step.value))
      if (isPromise(room)) await room
      step = await results.next()
    }
    finished = true
  } finally {
    if (!finished) release(results)
  }
}

/**
 * Runs the handler's `finally` blocks. Not waited for: a generator that hangs in an await gets to
 * them only when that settles. What they throw has no one left to hear it.
 */
function release(results: AsyncIterableIterator<unknown>): void {
  Promise.resolve(results.return?.()).catch(() => undefined)
}

function decoded(stream: ServerStream, codecs: MethodCodecs): AsyncIterableIterator<unknown> {
  const iterator: AsyncIterableIterator<unknown> = {
    async next() {
      const step = await stream.next()
      return step.done === true ? step : { done: false, value: codecs.input.decode(step.value) }
    },
    async return() {
      await stream.return?.()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => iterator,
  }
  return iterator
}

async function onlyMessage(
  incoming: AsyncIterableIterator<unknown>,
  call: ServerContext,
): Promise<unknown> {
  const step = await incoming.next()
  if (step.done !== true) return step.value
  throw new MicroError(
    'invalid_argument',
    `${call.service}/${call.method} takes one message, none came`,
  )
}
