import type { BoundCodec } from '../codec/codec.ts'
import type { CodecSet } from '../codec/codec-set.ts'
import { type Awaitable, isPromise } from '../component/promises.ts'
import { handleInContext, keepContext } from '../context/ambient.ts'
import type { Idempotency, MessageType, Method, MethodKind } from '../definition/definition.ts'
import { MicroError } from '../errors/micro-error.ts'
import { type Call, composeMiddleware, type Middleware } from '../middleware/middleware.ts'
import { validate } from '../schema/validate.ts'
import type { ReceivedMethod } from '../transport/transport.ts'
import type { ServerContext } from './server-context.ts'

export type AnyHandler = (input: unknown, context: ServerContext) => unknown

export interface MethodCodecs {
  readonly input: BoundCodec
  readonly output: BoundCodec
}

/** One method with all that a call of it needs, worked out once. */
export interface BoundMethod extends ReceivedMethod {
  readonly kind: MethodKind
  readonly idempotency: Idempotency
  /** `undefined` for a content-type that cannot carry the method's messages. */
  codecs(contentType: string): MethodCodecs | undefined
  /** Middleware, validation and handler; `input` is a message or an iterable of them. */
  run(input: unknown, context: ServerContext): Awaitable<unknown>
}

export function bindMethod(
  service: string,
  key: string,
  method: Method,
  handler: AnyHandler,
  codecs: CodecSet,
  middleware: readonly Middleware[],
): BoundMethod {
  const name = method.wireName ?? key
  const input: MessageType = { name: `input of ${service}/${name}`, ...method.input }
  const output: MessageType = { name: `output of ${service}/${name}`, ...method.output }
  const streamsIn = method.kind === 'client_stream' || method.kind === 'bidi_stream'
  const streamsOut = method.kind === 'server_stream' || method.kind === 'bidi_stream'
  const byContentType = new Map<string, MethodCodecs | undefined>()

  // Called inside the context that `run` has entered, so what it returns can be kept there.
  const handle = streamsOut
    ? (value: unknown, context: ServerContext): Awaitable<unknown> => {
        const result = handler(value, context)
        const keep = (stream: unknown): AsyncIterable<unknown> =>
          keepContext(asStream(stream, service, name))
        return isPromise(result) ? result.then(keep) : keep(result)
      }
    : (handler as (value: unknown, context: ServerContext) => Awaitable<unknown>)
  const withInput =
    input.schema === undefined
      ? handle
      : (value: unknown, context: ServerContext): Awaitable<unknown> => {
          if (streamsIn)
            return handle(
              mapStream(value as AsyncIterable<unknown>, (item) => check(input, item)),
              context,
            )
          const checked = check(input, value)
          return isPromise(checked)
            ? checked.then((settled) => handle(settled, context))
            : handle(checked, context)
        }
  const withOutput =
    output.schema === undefined
      ? withInput
      : (value: unknown, context: ServerContext): Awaitable<unknown> => {
          const result = withInput(value, context)
          const checkResult = (settled: unknown): Awaitable<unknown> =>
            streamsOut
              ? mapStream(settled as AsyncIterable<unknown>, (item) => check(output, item))
              : check(output, settled)
          return isPromise(result) ? result.then(checkResult) : checkResult(result)
        }
  const chain = composeMiddleware(middleware)
  const inside =
    chain === undefined
      ? withOutput
      : (value: unknown, context: ServerContext): Awaitable<unknown> => {
          const call: Call = {
            side: 'server',
            service,
            method: name,
            kind: method.kind,
            idempotency: method.idempotency,
            access: method.access,
            metadata: context.metadata,
            headers: context.headers,
            context,
            peer: context.peer,
            input: value,
          }
          return chain(call, (last) => withOutput(last.input, context))
        }

  return {
    service,
    name,
    kind: method.kind,
    idempotency: method.idempotency,
    contentTypes: codecs.contentTypesFor([input, output]),
    codecs(contentType) {
      if (!byContentType.has(contentType)) {
        // Only what the codecs know is kept, so that a caller cannot fill the map.
        const inputCodec = codecs.bind(input, contentType)
        const outputCodec = codecs.bind(output, contentType)
        if (inputCodec === undefined || outputCodec === undefined) return undefined
        byContentType.set(contentType, { input: inputCodec, output: outputCodec })
      }
      return byContentType.get(contentType)
    },
    run: (value, context) => handleInContext(context, inside, value),
  }
}

function check(type: MessageType, value: unknown): Awaitable<unknown> {
  if (type.schema === undefined) return value
  // A bad input is the caller's fault, a bad output the server's.
  const code = type.name.startsWith('input') ? 'invalid_argument' : 'internal'
  return validate(type.schema, value, code, `invalid ${type.name}`)
}

async function* mapStream(
  source: AsyncIterable<unknown>,
  map: (item: unknown) => Awaitable<unknown>,
): AsyncGenerator<unknown> {
  for await (const item of source) yield await map(item)
}

function asStream(value: unknown, service: string, method: string): AsyncIterable<unknown> {
  if (typeof value === 'object' && value !== null && Symbol.asyncIterator in value) {
    return value as AsyncIterable<unknown>
  }
  throw new MicroError(
    'internal',
    `the handler of ${service}/${method} must return an AsyncIterable`,
  )
}
