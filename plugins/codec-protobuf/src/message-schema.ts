import { create, type DescMessage, isMessage, type Message } from '@bufbuild/protobuf'
import type { StandardSchema } from '@micro/core/schema'

/** The message itself, or one made of the plain object that stands for it. */
export function toMessage(descriptor: DescMessage, value: unknown): Message {
  if (isMessage(value, descriptor)) return value
  // `create` would take these for a message of which nothing is set.
  if ((typeof value !== 'object' && value !== undefined) || Array.isArray(value)) {
    throw new Error(
      `it takes an object, not ${Array.isArray(value) ? 'a list' : `a ${typeof value}`}`,
    )
  }
  // What a caller writes is typed as the message's init shape; `create` takes no other.
  return create(descriptor, (value ?? {}) as Record<string, unknown>)
}

/**
 * Completes plain objects to messages. Needed where no codec does it: in process, where a handler
 * would otherwise see the caller's object without the defaults of its fields.
 */
export function messageSchema(descriptor: DescMessage): StandardSchema {
  return {
    '~standard': {
      version: 1,
      vendor: 'protobuf',
      validate(value) {
        try {
          return { value: toMessage(descriptor, value) }
        } catch (error) {
          return { issues: [{ message: error instanceof Error ? error.message : String(error) }] }
        }
      },
    },
  }
}
