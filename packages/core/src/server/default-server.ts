import { referenceCodec } from '../codec/reference-codec.ts'
import { abortable, isPromise } from '../component/promises.ts'
import { staticComponent } from '../component/static-component.ts'
import type { Context } from '../context/context.ts'
import type { Methods, ServiceDefinition } from '../definition/definition.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { CallHead, CallReceiver, Peer, Reply, ServerStream } from '../transport/transport.ts'
import { type AnyHandler, type BoundMethod, bindMethod, type MethodCodecs } from './bound-method.ts'
import { toAnswer } from './failures.ts'
import { RunningCalls } from './running-calls.ts'
import { serveStream } from './serve-stream.ts'
import type { Server, ServerLimits, ServerOptions } from './server.ts'
import { ServerContext } from './server-context.ts'

/** The pipeline of the called side: admission, decoding, middleware, validation, handler. */
export function createServer(options: ServerOptions): Server {
  const { codecs, logger } = options
  let limit = limitOf(options.limits, 10_000)
  const definitions = new Map<string, ServiceDefinition>()
  const methods = new Map<string, Map<string, BoundMethod>>()
  const running = new RunningCalls()
  let ready = false
  let draining = false
  let idle: PromiseWithResolvers<void> | undefined

  const admit = (head: CallHead, context: Context, peer: Peer): ServerContext => {
    if (draining) {
      throw new MicroError('unavailable', 'the server is stopping', { processed: 'no' })
    }
    if (running.size >= limit) {
      throw new MicroError(
        'resource_exhausted',
        `the server runs its limit of ${limit} calls (limits.concurrentCalls)`,
        {
          processed: 'no',
        },
      )
    }
    const call = new ServerContext(context, head, peer)
    running.add(call)
    return call
  }
  const leave = (call: ServerContext): void => {
    running.remove(call)
    call.finish()
    if (running.size === 0) idle?.resolve()
  }
  /** @throws what the caller is told of an output that cannot be encoded. */
  const answer = (call: ServerContext, { output }: MethodCodecs, value: unknown): Reply => {
    try {
      return {
        body: output.encode(value),
        headers: call.sentHeaders,
        trailers: call.sentTrailers,
      }
    } catch (error) {
      throw toAnswer(error, call, logger)
    }
  }
  /** The answer does not wait for a handler that ignores its signal. */
  const answerLater = (
    call: ServerContext,
    bound: MethodCodecs,
    result: PromiseLike<unknown>,
  ): Promise<Reply> => {
    // Calls that end at once never need their deadline watched.
    call.arm()
    return new Promise<Reply>((resolve, reject) => {
      call.abandon = reject
      result.then(
        (value) => {
          leave(call)
          try {
            resolve(answer(call, bound, value))
          } catch (error) {
            reject(error)
          }
        },
        (error: unknown) => {
          leave(call)
          reject(toAnswer(error, call, logger))
        },
      )
    })
  }
  const method = (head: CallHead): BoundMethod => {
    const found = methods.get(head.service)?.get(head.method)
    if (found !== undefined) return found
    const known = methods.get(head.service)
    throw new MicroError(
      'unimplemented',
      known === undefined
        ? `unknown service "${head.service}"`
        : `unknown method "${head.method}" of service "${head.service}"`,
      { processed: 'no' },
    )
  }
  const codecsOf = (found: BoundMethod, head: CallHead): MethodCodecs => {
    const bound = head.byReference === true ? referenceCodecs : found.codecs(head.contentType)
    if (bound !== undefined) return bound
    throw new MicroError(
      'unimplemented',
      `${head.service}/${head.method} cannot be called with content-type "${head.contentType}"; ` +
        `use ${found.contentTypes.join(', ')}`,
      { processed: 'no' },
    )
  }

  const receiver: CallReceiver = {
    get ready() {
      return ready && !draining
    },
    find: (service, name) => methods.get(service)?.get(name),
    methods: () => [...methods.values()].flatMap((one) => [...one.values()]),

    unary(head, body, context, peer) {
      const found = method(head)
      const bound = codecsOf(found, head)
      const call = admit(head, context, peer)
      let result: unknown
      try {
        result = found.run(bound.input.decode(body), call)
      } catch (error) {
        leave(call)
        throw toAnswer(error, call, logger)
      }
      if (!isPromise(result)) {
        leave(call)
        return answer(call, bound, result)
      }
      return answerLater(call, bound, result)
    },

    async stream(head, stream, context, peer) {
      const found = method(head)
      const bound = codecsOf(found, head)
      const call = admit(head, context, peer)
      call.arm()
      try {
        await serveStream(found, bound, stream as ServerStream, call)
        return call.sentTrailers
      } catch (error) {
        throw toAnswer(error, call, logger)
      } finally {
        leave(call)
      }
    },
  }

  return {
    ...staticComponent('default', 'server/0'),
    definitions,
    receiver,
    get active() {
      return running.size
    },
    handle(definition, handlers, handleOptions) {
      if (definitions.has(definition.name)) {
        throw new MicroError('already_exists', `service "${definition.name}" has handlers already`)
      }
      const middleware = [...(options.middleware ?? []), ...(handleOptions?.middleware ?? [])]
      const bound = new Map<string, BoundMethod>()
      for (const [key, handler] of handlerEntries(definition, handlers)) {
        const one = bindMethod(
          definition.name,
          key,
          definition.methods[key] as Methods[string],
          handler,
          codecs,
          middleware,
        )
        bound.set(one.name, one)
      }
      methods.set(definition.name, bound)
      definitions.set(definition.name, definition)
    },
    tune(limits) {
      limit = limitOf(limits, limit)
    },
    setReady(next) {
      ready = next
      if (next) draining = false
    },
    async drain(drainOptions) {
      draining = true
      if (running.size === 0) return
      idle ??= Promise.withResolvers()
      await abortable(idle.promise, drainOptions?.signal)
    },
    abort(reason) {
      running.cancelAll(reason)
    },
  }
}

const referenceCodecs: MethodCodecs = { input: referenceCodec, output: referenceCodec }

function handlerEntries(definition: ServiceDefinition, handlers: object): [string, AnyHandler][] {
  const given = handlers as Record<string, unknown>
  return Object.keys(definition.methods).map((key) => {
    const handler = Object.hasOwn(given, key) || key in given ? given[key] : undefined
    if (typeof handler !== 'function') {
      throw new MicroError(
        'invalid_argument',
        `service "${definition.name}": method "${key}" needs a handler`,
      )
    }
    // Bound, so that a class instance can serve as the handlers.
    return [key, handler.bind(handlers) as AnyHandler]
  })
}

/** @throws `invalid_argument` for a limit that is none. */
export function limitOf({ concurrentCalls }: ServerLimits = {}, otherwise: number): number {
  const limit = concurrentCalls ?? otherwise
  if (Number.isInteger(limit) && limit >= 1) return limit
  throw new MicroError(
    'invalid_argument',
    `limits.concurrentCalls: ${limit}; give a whole number from 1`,
  )
}
