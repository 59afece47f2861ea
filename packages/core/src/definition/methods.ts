import { MicroError } from '../errors/micro-error.ts'
import type { StandardSchema } from '../schema/standard-schema.ts'
import type {
  InputOf,
  Method,
  MethodAccess,
  MethodKind,
  MethodOptions,
  OutputOf,
  SchemaMethodOptions,
} from './definition.ts'

type Schema = StandardSchema | undefined

type SchemaMethod<Kind extends MethodKind, In extends Schema, Out extends Schema> = Method<
  Kind,
  InputOf<In>,
  OutputOf<In>,
  InputOf<Out>,
  OutputOf<Out>
>

/**
 * Makes a method of one kind: typed by schemas, which are then checked at run time, or by type
 * arguments alone, which are not.
 */
interface MethodFactory<Kind extends MethodKind> {
  <In extends Schema = undefined, Out extends Schema = undefined>(
    options: SchemaMethodOptions<In, Out> &
      ({ input: StandardSchema } | { output: StandardSchema }),
  ): SchemaMethod<Kind, In, Out>
  // Not inferred from where it is used, or a method without arguments would take anything.
  <Req = void, Res = void>(
    options?: MethodOptions,
  ): Method<Kind, NoInfer<Req>, NoInfer<Req>, NoInfer<Res>, NoInfer<Res>>
}

/** One message in, one out. */
export const unary: MethodFactory<'unary'> = factory('unary')

/** One message in, many out. */
export const serverStream: MethodFactory<'server_stream'> = factory('server_stream')

/** Many messages in, one out. */
export const clientStream: MethodFactory<'client_stream'> = factory('client_stream')

/** Many messages both ways, independently. */
export const bidiStream: MethodFactory<'bidi_stream'> = factory('bidi_stream')

function factory<Kind extends MethodKind>(kind: Kind): MethodFactory<Kind> {
  return (
    options: SchemaMethodOptions<Schema, Schema> = {},
  ): Method<Kind, never, never, never, never> => {
    const timeout = options.timeout
    if (timeout !== undefined && !(timeout > 0 && timeout <= 2 ** 31)) {
      throw new MicroError(
        'invalid_argument',
        `timeout of a method: ${timeout}; give milliseconds above 0 and at most 2^31`,
      )
    }
    return {
      kind,
      input: { schema: checkedSchema('input', options.input) },
      output: { schema: checkedSchema('output', options.output) },
      idempotency: options.idempotency ?? 'unknown',
      timeout,
      ...(options.access === undefined ? {} : { access: checkedAccess(options.access) }),
    }
  }
}

// The `scope-token` of RFC 6749, section 3.3.
const scopeFormat = /^[\x21\x23-\x5b\x5d-\x7e]{0,128}$/

function checkedAccess({ scopes }: MethodAccess): MethodAccess {
  const good =
    Array.isArray(scopes) &&
    scopes.length > 0 &&
    scopes.every((scope) => typeof scope === 'string' && scopeFormat.test(scope))
  if (good) return { scopes: [...scopes] }
  throw new MicroError(
    'invalid_argument',
    `access.scopes of a method: ${JSON.stringify(scopes)}; give a list of scopes, '*' for any account or '' for everyone`,
  )
}

function checkedSchema(field: string, schema: Schema): Schema {
  if (schema === undefined || typeof schema['~standard']?.validate === 'function') return schema
  throw new MicroError(
    'invalid_argument',
    `${field} of a method: not a Standard Schema; pass a schema of Zod 3.24+, Valibot 1+, ArkType 2+ or alike`,
  )
}
