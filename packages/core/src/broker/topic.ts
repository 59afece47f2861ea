import type { InferInput, InferOutput, StandardSchema } from '../schema/standard-schema.ts'
import { checkTopic } from './broker-rules.ts'

/** A named stream of messages of one type. `In` is what publishers write, `Out` what handlers read. */
export interface Topic<In = unknown, Out = In> {
  readonly name: string
  readonly schema: StandardSchema | undefined
  readonly descriptor?: unknown
  readonly '~types'?: { readonly in: In; readonly out: Out }
}

/** A topic whose messages a schema checks, when they are published and when they are read. */
export function defineTopic<S extends StandardSchema>(
  name: string,
  schema: S,
): Topic<InferInput<S>, InferOutput<S>> {
  checkTopic(name)
  return { name, schema }
}

/** A topic whose messages are typed and not checked. */
export function defineUncheckedTopic<T>(name: string): Topic<T> {
  checkTopic(name)
  return { name, schema: undefined }
}
