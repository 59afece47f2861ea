import { type Awaitable, isPromise } from '../component/promises.ts'
import { sleep } from '../component/timing.ts'
import { Context } from '../context/context.ts'
import { Metadata } from '../metadata/metadata.ts'
import type { Snapshot } from '../router/router.ts'
import type { Reply } from '../transport/transport.ts'
import type { Attempts } from './attempts.ts'
import { decodeAnswer, type MessageCodecs } from './client-method.ts'

/** Attempts a unary call until one succeeds or the policy gives up; then finishes its context. */
export function attemptUnary(call: Attempts, input: unknown): Awaitable<unknown> {
  const { target } = call.info
  const { usable } = target
  if (usable !== undefined) return attempt(call, input, usable)
  return target.ready(call).then(
    (snapshot) => attempt(call, input, snapshot),
    (error: unknown) => {
      const ended = call.ended(error)
      call.finish()
      throw ended
    },
  )
}

function attempt(call: Attempts, input: unknown, snapshot: Snapshot): Awaitable<unknown> {
  if (call.cancelled) return failed(call, input, call.reason, undefined)
  let bounded: Context | undefined
  try {
    const route = call.pickRoute(snapshot)
    const link = call.info.target.link(route)
    const codecs = call.info.codecsFor(link, call.options.contentType)
    const body = codecs.input.encode(input)
    const timeout = call.policy.attemptTimeout(call, call.number)
    // Its own context only if the attempt may end before the call does.
    bounded = timeout === undefined ? undefined : new Context(call, { timeout })
    const reply = link.connection.unary(call.head(codecs), body, bounded ?? call)
    if (!isPromise(reply)) return succeeded(call, codecs, reply, bounded)
    return reply.then(
      (settled) => succeeded(call, codecs, settled, bounded),
      (error: unknown) => failed(call, input, error, bounded),
    )
  } catch (error) {
    return failed(call, input, error, bounded)
  }
}

function succeeded(
  call: Attempts,
  codecs: MessageCodecs,
  reply: Reply,
  bounded: Context | undefined,
): unknown {
  bounded?.finish()
  call.succeeded()
  const { onHeaders, onTrailers } = call.options
  if (onHeaders !== undefined) onHeaders(new Metadata(reply.headers))
  if (onTrailers !== undefined) onTrailers(new Metadata(reply.trailers))
  call.finish()
  return decodeAnswer(codecs, reply.body, call)
}

function failed(
  call: Attempts,
  input: unknown,
  error: unknown,
  bounded: Context | undefined,
): Awaitable<unknown> {
  const timedOut = bounded?.cancelled === true && !call.cancelled
  bounded?.finish()
  const next = call.failed(error, timedOut)
  if (typeof next !== 'number') {
    call.finish()
    throw next.error
  }
  if (next <= 0) return attemptUnary(call, input)
  const again = (): Awaitable<unknown> => attemptUnary(call, input)
  return sleep(next, { signal: call.signal }).then(again, (reason: unknown) =>
    failed(call, input, reason, undefined),
  )
}
