import { isPromise } from '../component/promises.ts'
import { sleep } from '../component/timing.ts'
import { runInContext } from '../context/ambient.ts'
import { MicroError } from '../errors/micro-error.ts'
import { Metadata } from '../metadata/metadata.ts'
import type { ClientStream } from '../transport/transport.ts'
import type { Attempts } from './attempts.ts'
import { decodeAnswer, type MessageCodecs } from './client-method.ts'
import { createReplay, type Replay } from './replay.ts'
import { watchStream } from './stream-watchdog.ts'

/**
 * Attempts a streaming call, and yields what the server sends. A failed attempt is repeated only
 * while nothing has arrived and what was sent can be sent again.
 */
export async function* attemptStream(call: Attempts, input: unknown): AsyncGenerator<unknown> {
  const replay = createReplay(call.kind, input)
  try {
    for (;;) {
      let answered = false
      try {
        for await (const message of oneAttempt(call, replay)) {
          answered = true
          yield message
        }
        call.succeeded()
        return
      } catch (error) {
        const next = call.failed(error, false)
        if (typeof next !== 'number') throw next.error
        if (answered || !replay.restart()) throw call.ended(error)
        if (next > 0) await sleep(next, { signal: call.signal })
      }
    }
  } finally {
    replay.release()
  }
}

async function* oneAttempt(call: Attempts, replay: Replay): AsyncGenerator<unknown> {
  if (call.cancelled) throw call.reason
  const route = call.pickRoute(call.info.target.usable ?? (await call.info.target.ready(call)))
  const link = call.info.target.link(route)
  const codecs = call.info.codecsFor(link, call.options.contentType)
  const stream = link.connection.stream(call.head(codecs), call)
  const watchdog = watchStream(stream, call)
  const { onHeaders, onTrailers } = call.options
  let ended = false
  try {
    // Runs beside the reading; it handles every failure itself.
    void send(stream, codecs, replay, call)
    if (onHeaders !== undefined) onHeaders(new Metadata(await stream.headers))
    for (;;) {
      const step = await watchdog.wait(stream.next())
      if (step.done === true) break
      replay.forget()
      yield decodeAnswer(codecs, step.value, call)
    }
    ended = true
    onTrailers?.(new Metadata(stream.trailers))
  } finally {
    watchdog.stop()
    if (!ended) await stream.return?.()
  }
}

/** Writes the caller's messages until they or the stream end. A source that throws fails the call. */
async function send(
  stream: ClientStream,
  codecs: MessageCodecs,
  replay: Replay,
  call: Attempts,
): Promise<void> {
  for (;;) {
    let message: IteratorResult<unknown>
    let bytes: Uint8Array | undefined
    try {
      message = await runInContext(call, () => replay.next())
      if (message.done !== true) bytes = codecs.input.encode(message.value)
    } catch (error) {
      // The server must not take what came so far for the whole.
      call.cancel(error)
      return
    }
    try {
      const written = bytes === undefined ? stream.end() : stream.write(bytes)
      if (isPromise(written)) await written
    } catch {
      // The stream has ended; its iteration says why.
      return
    }
    if (bytes === undefined) return
  }
}

/** The single answer of a client-streaming call. */
export async function onlyAnswer(
  answers: AsyncIterator<unknown>,
  call: Attempts,
): Promise<unknown> {
  const first = await answers.next()
  if (first.done === true) {
    throw new MicroError('internal', `${call.service}/${call.method} ended without an answer`, {
      processed: 'yes',
    })
  }
  const second = await answers.next()
  if (second.done === true) return first.value
  await answers.return?.()
  throw new MicroError('internal', `${call.service}/${call.method} sent more than one answer`, {
    processed: 'yes',
  })
}
