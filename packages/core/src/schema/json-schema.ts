import { MicroError } from '../errors/micro-error.ts'
import type { StandardSchema } from './standard-schema.ts'

/** What is used of a JSON Schema; there may be more in it. */
export interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly allOf?: readonly JsonSchema[]
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: boolean | JsonSchema
  readonly required?: readonly string[]
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
}

/**
 * The schema as JSON Schema 2020-12: of what goes into it, which is what people write.
 *
 * @throws `unimplemented` for a schema that cannot say so, or has parts that JSON Schema has not.
 * Source: Standard JSON Schema, https://standardschema.dev/json-schema
 */
export function jsonSchemaOf(schema: StandardSchema): JsonSchema {
  const standard = schema['~standard'] as {
    readonly vendor: string
    readonly jsonSchema?: { input?: (options: { target: string }) => JsonSchema }
  }
  const { vendor } = standard
  if (standard.jsonSchema?.input === undefined) {
    throw new MicroError('unimplemented', `schema: ${vendor} does not write it as JSON Schema`)
  }
  try {
    return standard.jsonSchema.input({ target: 'draft-2020-12' })
  } catch (error) {
    throw new MicroError('unimplemented', `schema: ${vendor} cannot write it as JSON Schema`, {
      cause: error,
    })
  }
}

/** Looks into a schema by the keys of paths. */
export interface SchemaView {
  /** The key as the schema spells it: compared without case, `_` and `-`. */
  keyFor(keys: readonly string[], name: string): string | undefined
  /** The JSON types that a path may have; empty where nothing is known. */
  typesAt(keys: readonly string[]): ReadonlySet<string>
  /** Of an array's items. */
  itemTypesAt(keys: readonly string[]): ReadonlySet<string>
  /** Whether a value may lie there, as far as the schema tells. */
  has(keys: readonly string[]): boolean
  /** Every path that a value may have and that is no tree itself, in order; `*` for any one key. */
  leaves(): readonly SchemaLeaf[]
}

export interface SchemaLeaf {
  readonly keys: readonly string[]
  readonly types: ReadonlySet<string>
  readonly itemTypes: ReadonlySet<string>
  readonly description: string | undefined
  readonly default: unknown
  readonly choices: readonly unknown[]
  /** It has no default, and neither it nor a tree above it may be left away. */
  readonly required: boolean
}

/** Nesting of references and alternatives beyond which a schema is not followed. */
const depthLimit = 32

/** A view that knows nothing, where the schema cannot be written as JSON Schema. */
export function schemaView(schema: StandardSchema | undefined): SchemaView {
  const root = readable(schema)
  const parts = (start: JsonSchema | undefined, depth = 0): JsonSchema[] => {
    if (start === undefined || depth > depthLimit) return []
    const referred = start.$ref?.startsWith('#/$defs/')
      ? root?.$defs?.[start.$ref.slice('#/$defs/'.length)]
      : undefined
    const inner = [...(start.anyOf ?? []), ...(start.oneOf ?? []), ...(start.allOf ?? [])]
    return [start, ...[referred, ...inner].flatMap((one) => parts(one, depth + 1))]
  }
  const below = ({ properties, additionalProperties }: JsonSchema, key: string): JsonSchema[] => {
    if (properties !== undefined && Object.hasOwn(properties, key)) return parts(properties[key])
    return typeof additionalProperties === 'object' ? parts(additionalProperties) : []
  }
  const at = (keys: readonly string[]): JsonSchema[] => {
    let found = parts(root)
    for (const key of keys) found = found.flatMap((one) => below(one, key))
    return found
  }
  const leaves = (keys: readonly string[], required: boolean): SchemaLeaf[] => {
    const here = at(keys)
    const inner = new Map<string, boolean>()
    for (const { properties = {}, required: needed = [], additionalProperties } of here) {
      for (const key of Object.keys(properties)) inner.set(key, needed.includes(key))
      if (typeof additionalProperties === 'object') inner.set('*', false)
    }
    if (inner.size > 0 && keys.length < depthLimit) {
      return [...inner].flatMap(([key, needed]) => leaves([...keys, key], required && needed))
    }
    const described = here.find(({ description }) => description !== undefined)
    const defaulted = here.find((one) => one.default !== undefined)
    return [
      {
        keys,
        types: typesOf(here),
        itemTypes: typesOf(here.flatMap(({ items }) => parts(items))),
        description: described?.description,
        default: defaulted?.default,
        choices: here.flatMap((one) => one.enum ?? []),
        required: required && defaulted === undefined,
      },
    ]
  }
  return {
    keyFor(keys, name) {
      const wanted = plain(name)
      return at(keys)
        .flatMap(({ properties }) => Object.keys(properties ?? {}))
        .find((key) => plain(key) === wanted)
    },
    typesAt: (keys) => typesOf(at(keys)),
    itemTypesAt: (keys) => typesOf(at(keys).flatMap(({ items }) => parts(items))),
    has: (keys) => at(keys).length > 0,
    leaves: () => (root === undefined ? [] : leaves([], true)),
  }
}

function typesOf(schemas: readonly JsonSchema[]): ReadonlySet<string> {
  return new Set(schemas.flatMap(({ type = [] }) => (typeof type === 'string' ? [type] : type)))
}

function readable(schema: StandardSchema | undefined): JsonSchema | undefined {
  try {
    return schema && jsonSchemaOf(schema)
  } catch {
    // Nothing is known then, and values stay the strings that they are.
    return undefined
  }
}

function plain(name: string): string {
  return name.replace(/[_-]/g, '').toLowerCase()
}
