import type { BoundCodec } from '../codec/codec.ts'
import type { CodecSet } from '../codec/codec-set.ts'
import { referenceCodec } from '../codec/reference-codec.ts'
import type { Idempotency, MessageType, Method, MethodKind } from '../definition/definition.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { PooledConnection } from './connection-pool.ts'
import type { Target } from './target.ts'

export interface MessageCodecs {
  readonly contentType: string
  readonly byReference: boolean
  readonly input: BoundCodec
  readonly output: BoundCodec
}

/** One method of a client, with all that its calls share. */
export class ClientMethodInfo {
  readonly service: string
  readonly name: string
  readonly kind: MethodKind
  readonly idempotency: Idempotency
  readonly timeout: number | undefined
  readonly input: MessageType
  readonly output: MessageType
  readonly target: Target
  readonly #codecs: CodecSet
  readonly #bound = new Map<PooledConnection, Map<string, MessageCodecs>>()

  constructor(service: string, key: string, method: Method, target: Target, codecs: CodecSet) {
    this.service = service
    this.name = method.wireName ?? key
    this.kind = method.kind
    this.idempotency = method.idempotency
    this.timeout = method.timeout
    this.input = { name: `input of ${service}/${this.name}`, ...method.input }
    this.output = { name: `output of ${service}/${this.name}`, ...method.output }
    this.target = target
    this.#codecs = codecs
  }

  /** The encoding for calls over `link`: the wanted one, else the first that both sides know. */
  codecsFor(link: PooledConnection, wanted: string | undefined): MessageCodecs {
    if (link.connection.byReference === true) return referenceCodecs
    const key = wanted ?? ''
    let byType = this.#bound.get(link)
    if (byType === undefined) {
      byType = new Map()
      // Links come and go with their nodes; the few that have gone are dropped together.
      if (this.#bound.size > 1_000) this.#bound.clear()
      this.#bound.set(link, byType)
    }
    let codecs = byType.get(key)
    if (codecs === undefined) {
      codecs = this.#choose(link.contentTypes, wanted)
      byType.set(key, codecs)
    }
    return codecs
  }

  #choose(offered: readonly string[], wanted: string | undefined): MessageCodecs {
    const known = this.#codecs.contentTypesFor([this.input, this.output])
    const usable = known.filter((type) => offered.length === 0 || offered.includes(type))
    const contentType = wanted === undefined ? usable[0] : usable.find((type) => type === wanted)
    const input = contentType && this.#codecs.bind(this.input, contentType)
    const output = contentType && this.#codecs.bind(this.output, contentType)
    if (contentType && input && output) return { contentType, byReference: false, input, output }
    throw new MicroError(
      'unimplemented',
      `no common encoding for ${this.service}/${this.name}: ${wanted === undefined ? '' : `"${wanted}" was asked for, `}` +
        `this side knows ${known.join(', ') || 'none'}, the node offers ${offered.join(', ') || 'any'}; add a codec`,
      { processed: 'no' },
    )
  }
}

const referenceCodecs: MessageCodecs = {
  contentType: '',
  byReference: true,
  input: referenceCodec,
  output: referenceCodec,
}

/** A message that the server sent. Bytes that do not decode are the server's fault, not the caller's. */
export function decodeAnswer(
  codecs: MessageCodecs,
  body: Uint8Array,
  call: { readonly service: string; readonly method: string },
): unknown {
  try {
    return codecs.output.decode(body)
  } catch (cause) {
    const why = MicroError.is(cause) ? cause.detail : String(cause)
    throw new MicroError(
      'internal',
      `the answer of ${call.service}/${call.method} does not decode: ${why}`,
      {
        cause,
        processed: 'yes',
      },
    )
  }
}
