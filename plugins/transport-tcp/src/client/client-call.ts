/** A call as its connection sees it. */
export interface ClientCall {
  readonly id: number
  /** A frame with its id. @throws for one that breaks the protocol. */
  receive(type: number, flags: number, bytes: Buffer, start: number, end: number): void
  /** The connection can do no more for it. */
  fail(error: unknown): void
}
