/** What an operator wants a service to be. */
export interface TokenRequest {
  /** Name of the service that may enrol with it. */
  readonly service: string
  /** DNS names and IP addresses that it is reached by. @default localhost, 127.0.0.1 and ::1 */
  readonly hosts?: readonly string[]
  /** Milliseconds until it lapses. @default 3600000 */
  readonly ttl?: number
}

/** Whom not to trust any more. */
export type Denial =
  /** Until it is allowed again. */
  | { readonly service: string }
  /** SHA-256 of a certificate, as 64 hex digits: for as long as one could live. */
  | { readonly fingerprint: string }
