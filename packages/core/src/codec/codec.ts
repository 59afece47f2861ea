import type { Component } from '../component/component.ts'
import type { MessageType } from '../definition/definition.ts'

/** Turns the messages of one type into bytes of one content-type and back. */
export interface BoundCodec {
  /** @throws `invalid_argument` for a value that the encoding cannot hold, naming the place. */
  encode(value: unknown): Uint8Array
  /**
   * A message may keep parts of `bytes`: transports do not use them again.
   *
   * @throws `invalid_argument` for malformed bytes.
   */
  decode(bytes: Uint8Array): unknown
}

/** An encoding. It has no connection; `connect` and `close` do nothing for most. */
export interface Codec extends Component {
  readonly contract: 'codec/0'
  /** Content-types without parameters, the preferred one first: `application/json`. */
  readonly contentTypes: readonly string[]
  /** Called once per method and direction; `undefined` if this codec cannot carry `type`. */
  bind(type: MessageType, contentType: string): BoundCodec | undefined
}
