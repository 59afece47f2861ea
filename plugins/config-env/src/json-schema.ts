import type { StandardSchema } from '@micro/core/schema'

/** What is used of a JSON Schema. */
export interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly allOf?: readonly JsonSchema[]
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, JsonSchema>>
}

/** Looks into a schema by the keys of paths. */
export interface SchemaView {
  /** The key as the schema spells it: compared without case, `_` and `-`. */
  keyFor(keys: readonly string[], name: string): string | undefined
  /** The JSON types that a path may have; empty where nothing is known. */
  typesAt(keys: readonly string[]): ReadonlySet<string>
  /** Of an array's items. */
  itemTypesAt(keys: readonly string[]): ReadonlySet<string>
}

/** Nesting of references and alternatives beyond which a schema is not followed. */
const depthLimit = 32

/**
 * The schema as JSON Schema, where it can say so.
 *
 * Source: Standard JSON Schema, https://standardschema.dev/json-schema
 */
export function viewOf(schema: StandardSchema | undefined): SchemaView {
  const root = toJsonSchema(schema)
  const parts = (start: JsonSchema | undefined, depth = 0): JsonSchema[] => {
    if (start === undefined || depth > depthLimit) return []
    const referred = start.$ref?.startsWith('#/$defs/')
      ? root?.$defs?.[start.$ref.slice('#/$defs/'.length)]
      : undefined
    const inner = [...(start.anyOf ?? []), ...(start.oneOf ?? []), ...(start.allOf ?? [])]
    return [start, ...[referred, ...inner].flatMap((one) => parts(one, depth + 1))]
  }
  const at = (keys: readonly string[]): JsonSchema[] => {
    let found = parts(root)
    for (const key of keys) {
      found = found.flatMap(({ properties }) =>
        properties !== undefined && Object.hasOwn(properties, key) ? parts(properties[key]) : [],
      )
    }
    return found
  }
  const types = (schemas: readonly JsonSchema[]): ReadonlySet<string> =>
    new Set(schemas.flatMap(({ type = [] }) => (typeof type === 'string' ? [type] : type)))
  return {
    keyFor(keys, name) {
      const wanted = plain(name)
      return at(keys)
        .flatMap(({ properties }) => Object.keys(properties ?? {}))
        .find((key) => plain(key) === wanted)
    },
    typesAt: (keys) => types(at(keys)),
    itemTypesAt: (keys) => types(at(keys).flatMap(({ items }) => parts(items))),
  }
}

function toJsonSchema(schema: StandardSchema | undefined): JsonSchema | undefined {
  const standard = schema?.['~standard'] as
    | { jsonSchema?: { input?: (options: { target: string }) => JsonSchema } }
    | undefined
  try {
    return standard?.jsonSchema?.input?.({ target: 'draft-2020-12' })
  } catch {
    // Parts of it have no counterpart in JSON Schema: nothing is known then, and values stay strings.
    return undefined
  }
}

function plain(name: string): string {
  return name.replace(/[_-]/g, '').toLowerCase()
}
