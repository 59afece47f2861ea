export {
  type JsonSchema,
  jsonSchemaOf,
  type SchemaLeaf,
  type SchemaView,
  schemaView,
} from './json-schema.ts'
export type { InferInput, InferOutput, StandardSchema } from './standard-schema.ts'
export { validate } from './validate.ts'
