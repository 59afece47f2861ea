import type { AbortOptions } from '../component/component.ts'
import { requireContract } from '../component/contract.ts'
import { createLifecycle } from '../component/lifecycle.ts'
import { type Awaitable, isPromise } from '../component/promises.ts'
import { currentContext } from '../context/ambient.ts'
import type { Methods, ServiceDefinition } from '../definition/definition.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Logger } from '../logger/logger.ts'
import { type Call, composeMiddleware } from '../middleware/middleware.ts'
import { validate } from '../schema/validate.ts'
import { type Attempts, beginCall, checkTimeout } from './attempts.ts'
import type {
  CallOptions,
  Client,
  ClientOptions,
  ServiceClient,
  ServiceClientOptions,
} from './client.ts'
import { ClientMethodInfo } from './client-method.ts'
import { createConnectionPool } from './connection-pool.ts'
import { attemptStream, onlyAnswer } from './stream-call.ts'
import { Target } from './target.ts'
import { attemptUnary } from './unary-call.ts'

const noOptions: CallOptions = {}

type Invoke = (input: unknown, options?: CallOptions) => unknown

/** The pipeline of the calling side: validation, middleware, policy, routing, encoding. */
export function createClient(options: ClientOptions & { readonly logger: Logger }): Client {
  const { codecs, router, selector, logger } = options
  let { policy } = options
  let defaultTimeout = 5_000
  for (const transport of options.transports) requireContract(transport, 'transport/0')
  requireContract(policy, 'policy/0')
  requireContract(router, 'router/0')
  requireContract(selector, 'selector/0')

  const pool = createConnectionPool(options, (error) =>
    logger.log('warn', 'a connection did not close', { error }),
  )
  const targets = new Map<string, Target>()
  let closed = false
  const lifecycle = createLifecycle({
    label: 'client',
    close: async () => {
      for (const target of targets.values()) target.close()
      await pool.close()
    },
  })
  const close = (closeOptions?: AbortOptions): Promise<void> => {
    closed = true
    return lifecycle.close(closeOptions)
  }
  const chain = composeMiddleware(options.middleware ?? [])

  const targetFor = (service: string, { version, labels }: ServiceClientOptions): Target => {
    const key = JSON.stringify([service, version, Object.entries(labels ?? {}).sort()])
    let target = targets.get(key)
    if (target === undefined) {
      const query = { service, version, labels }
      target = new Target(query, { router, selector, pool, ejection: options.ejection ?? {} })
      targets.set(key, target)
    }
    return target
  }

  /** Middleware, then the attempts. */
  const dispatch = (
    call: Attempts,
    input: unknown,
    attempts: (call: Attempts, input: unknown) => Awaitable<unknown>,
  ): Awaitable<unknown> => {
    if (chain === undefined) return attempts(call, input)
    const seen: Call = {
      side: 'client',
      service: call.service,
      method: call.method,
      kind: call.kind,
      idempotency: call.idempotency,
      metadata: call.metadata,
      context: call,
      input,
    }
    return chain(seen, (last) => attempts(call, last.input))
  }

  const checkInput = (info: ClientMethodInfo, input: unknown): Awaitable<unknown> =>
    info.input.schema === undefined
      ? undefined
      : validate(info.input.schema, input, 'invalid_argument', `invalid ${info.input.name}`)

  const unary =
    (info: ClientMethodInfo, defaults: CallOptions): Invoke =>
    (input, given) => {
      const callOptions = merge(defaults, given)
      let call: Attempts | undefined
      try {
        open()
        call = beginCall(
          info,
          callOptions,
          callOptions.timeout ?? info.timeout ?? defaultTimeout,
          policy,
        )
        const checked = checkInput(info, input)
        const begun = call
        // The attempts finish the context themselves; only what runs around them can miss that.
        if (chain === undefined && !isPromise(checked))
          return Promise.resolve(attemptUnary(begun, input))
        const result = isPromise(checked)
          ? checked.then(() => dispatch(begun, input, attemptUnary))
          : dispatch(begun, input, attemptUnary)
        return Promise.resolve(isPromise(result) ? settle(begun, result) : result)
      } catch (error) {
        call?.finish()
        return Promise.reject(error)
      }
    }

  const stream =
    (info: ClientMethodInfo, defaults: CallOptions): Invoke =>
    (input, given) => {
      const callOptions = merge(defaults, given)
      const parent = currentContext()
      const timeout = callOptions.timeout ?? info.timeout
      let call: Attempts | undefined
      async function* messages(): AsyncGenerator<unknown> {
        open()
        call = beginCall(info, callOptions, timeout, policy, parent)
        try {
          if (info.kind === 'server_stream') await checkInput(info, input)
          yield* (await dispatch(
            call,
            checkedStream(info, input),
            attemptStream,
          )) as AsyncIterable<unknown>
        } finally {
          call.finish()
        }
      }
      const generator = messages()
      const iterator: AsyncIterableIterator<unknown> = {
        next: () => generator.next(),
        return(value) {
          // A pending `next` would keep the generator from ending; cancelling settles it.
          call?.cancel(new MicroError('cancelled', 'the caller has ended the stream'))
          return generator.return(value)
        },
        throw(error) {
          call?.cancel(error)
          return generator.throw(error)
        },
        [Symbol.asyncIterator]: () => iterator,
      }
      return iterator
    }

  const clientStream =
    (info: ClientMethodInfo, defaults: CallOptions): Invoke =>
    async (input, given) => {
      const callOptions = merge(defaults, given)
      open()
      const timeout = callOptions.timeout ?? info.timeout ?? defaultTimeout
      const call = beginCall(info, callOptions, timeout, policy)
      const answer = (begun: Attempts, messages: unknown): Promise<unknown> =>
        onlyAnswer(attemptStream(begun, messages), begun)
      try {
        return await dispatch(call, checkedStream(info, input), answer)
      } finally {
        call.finish()
      }
    }

  const checkedStream = (info: ClientMethodInfo, input: unknown): unknown => {
    if (info.kind === 'server_stream') return input
    if (!isIterable(input)) {
      throw new MicroError(
        'invalid_argument',
        `${info.input.name}: give an AsyncIterable or Iterable of messages`,
        {
          processed: 'no',
        },
      )
    }
    return info.input.schema === undefined ? input : checkEach(info, input, checkInput)
  }
  const open = (): void => {
    if (closed)
      throw new MicroError('failed_precondition', 'the client is closed', { processed: 'no' })
  }
  const makers = { unary, server_stream: stream, bidi_stream: stream, client_stream: clientStream }

  return {
    name: 'default',
    contract: 'client/0',
    connect: lifecycle.connect,
    close,
    [Symbol.asyncDispose]: close,
    health: () => ({ status: closed ? 'down' : 'up' }),
    tune({ policy: next = policy, timeout = defaultTimeout }) {
      requireContract(next, 'policy/0')
      checkTimeout(timeout)
      policy = next
      defaultTimeout = timeout
    },

    client<M extends Methods>(
      definition: ServiceDefinition<M>,
      clientOptions: ServiceClientOptions = {},
    ) {
      const target = targetFor(clientOptions.service ?? definition.name, clientOptions)
      const defaults = clientOptions.defaults ?? noOptions
      const made: Record<string, Invoke> = Object.create(null)
      for (const [key, method] of Object.entries(definition.methods)) {
        const info = new ClientMethodInfo(definition.name, key, method, target, codecs)
        made[key] = makers[method.kind](info, defaults)
      }
      // The stubs are built from the same definition that types them.
      return made as unknown as ServiceClient<M>
    },
  }
}

function settle(call: Attempts, result: PromiseLike<unknown>): PromiseLike<unknown> {
  return result.then(
    (value) => {
      call.finish()
      return value
    },
    (error: unknown) => {
      call.finish()
      throw error
    },
  )
}

function merge(defaults: CallOptions, given: CallOptions | undefined): CallOptions {
  if (given === undefined) return defaults
  return defaults === noOptions ? given : { ...defaults, ...given }
}

function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    (Symbol.asyncIterator in value || Symbol.iterator in value)
  )
}

async function* checkEach(
  info: ClientMethodInfo,
  messages: AsyncIterable<unknown> | Iterable<unknown>,
  check: (info: ClientMethodInfo, message: unknown) => Awaitable<unknown>,
): AsyncGenerator<unknown> {
  for await (const message of messages) {
    await check(info, message)
    yield message
  }
}
