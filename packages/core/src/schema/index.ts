export type { InferInput, InferOutput, StandardSchema } from './standard-schema.ts'
export { validate } from './validate.ts'
