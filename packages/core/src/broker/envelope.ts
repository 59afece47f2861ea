import type { BoundCodec, Codec } from '../codec/codec.ts'
import { type CodecSet, createCodecSet } from '../codec/codec-set.ts'
import { MicroError } from '../errors/micro-error.ts'
import { Metadata } from '../metadata/metadata.ts'
import { validate } from '../schema/validate.ts'
import type { BrokerMessage, Delivery } from './broker.ts'
import type { CloudEventsOptions, Message } from './messaging.ts'
import type { Topic } from './topic.ts'

/** Headers of our own. They travel beside the user's and are not shown to handlers. */
const contentTypeHeader = 'content-type'
const idHeader = 'message-id'

/** Turns values of topics into messages and back, worked out once for each topic. */
export interface Envelopes {
  encode(topic: Topic, value: unknown, message: EncodeOptions): Promise<BrokerMessage>
  /** @throws an error for a body that is not the topic's: such a message is dead at once. */
  decode(topic: Topic, delivery: Delivery, attempt: number): Promise<Message<unknown>>
}

interface EncodeOptions {
  readonly id: string
  readonly key: string | undefined
  readonly headers: Metadata
}

export function createEnvelopes(
  codecs: readonly Codec[],
  cloudEvents: CloudEventsOptions | undefined,
): Envelopes {
  const set: CodecSet = createCodecSet(codecs)
  const bind = (topic: Topic, wanted: string | undefined): [string, BoundCodec] => {
    const type = { name: `message of ${topic.name}`, ...topicType(topic) }
    const contentType = wanted ?? set.contentTypesFor([type])[0]
    const bound = contentType === undefined ? undefined : set.bind(type, contentType)
    if (contentType !== undefined && bound !== undefined) return [contentType, bound]
    throw new MicroError(
      'unimplemented',
      `no codec carries messages of topic ${topic.name}${wanted === undefined ? '' : ` as "${wanted}"`}; add one`,
    )
  }
  const eventHeaders = (topic: Topic, { id, key }: EncodeOptions): Record<string, string> =>
    cloudEvents === undefined
      ? {}
      : {
          'ce-specversion': '1.0',
          'ce-id': id,
          'ce-source': cloudEvents.source,
          'ce-type': topic.name,
          'ce-time': new Date().toISOString(),
          ...(key === undefined ? {} : { 'ce-subject': encodeURIComponent(key) }),
        }

  return {
    async encode(topic, value, message) {
      const [contentType, codec] = bind(topic, undefined)
      // The handler's side gets the schema's output, so what is sent is what was given.
      if (topic.schema !== undefined) {
        await validate(topic.schema, value, 'invalid_argument', `invalid message of ${topic.name}`)
      }
      return {
        body: codec.encode(value),
        key: message.key,
        headers: {
          ...flatten(message.headers),
          ...eventHeaders(topic, message),
          [contentTypeHeader]: contentType,
          [idHeader]: message.id,
        },
      }
    },
    async decode(topic, delivery, attempt) {
      const { [contentTypeHeader]: contentType, [idHeader]: id, ...rest } = delivery.headers
      const [, codec] = bind(topic, contentType?.split(';')[0]?.trim())
      const decoded = codec.decode(delivery.body)
      const value =
        topic.schema === undefined
          ? decoded
          : await validate(
              topic.schema,
              decoded,
              'invalid_argument',
              `invalid message of ${topic.name}`,
            )
      return {
        id: id ?? rest['ce-id'] ?? delivery.id,
        topic: topic.name,
        key: delivery.key,
        headers: lenientMetadata(rest),
        value,
        attempt,
        timestamp: delivery.timestamp,
      }
    },
  }
}

function topicType(topic: Topic): { schema?: Topic['schema']; descriptor?: unknown } {
  return { schema: topic.schema, descriptor: topic.descriptor }
}

function flatten(headers: Metadata): Record<string, string> {
  const flat: Record<string, string> = {}
  for (const key of headers.keys()) flat[key] = headers.getAll(key).join(', ')
  return flat
}

/** Others publish to our topics too, and what is no header of ours must not make a message dead. */
function lenientMetadata(headers: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(headers)) {
    try {
      metadata.append(name, value)
    } catch {
      // Not a name or a value that metadata can have; handlers cannot ask for it.
    }
  }
  return metadata
}
