import type { Awaitable } from '@micro/core/component'
import type { Method } from '@micro/core/definition'
import { defineService, type ServiceDefinition, unary } from '@micro/core/definition'

/** What is signed by the authority for all: its roots, and whom not to trust any more. */
export interface Trust {
  /** JSON of `TrustFacts`. */
  readonly text: string
  /** By fingerprint of the root whose key has signed `text`; each of them, so that one suffices. */
  readonly signatures: Readonly<Record<string, string>>
}

export interface TrustFacts {
  readonly trustDomain: string
  /** Milliseconds since 1970. */
  readonly issuedAt: number
  /** As PEM. */
  readonly roots: readonly string[]
  readonly denied: {
    readonly services: readonly string[]
    readonly fingerprints: readonly string[]
  }
}

export interface EnrolRequest {
  readonly tokenId: string
  /** PKCS #10, as PEM. */
  readonly request: string
  /** HMAC-SHA256 of `enrol`, a line break and the request, by the token's secret, in base64. */
  readonly proof: string
}

export interface EnrolReply {
  readonly certificate: string
  readonly trust: Trust
  /** HMAC-SHA256 of `enrolled`, line break, certificate, line break and `trust.text`. */
  readonly proof: string
}

export interface RenewRequest {
  /** The current one, which is valid. */
  readonly certificate: string
  readonly request: string
  /** Of `renew`, a line break and the request, by the key of the current certificate, in base64. */
  readonly signature: string
}

export interface RenewReply {
  readonly certificate: string
  readonly trust: Trust
}

/** What a service asks of the authority: itself, or a client of its service. */
export interface AuthorityApi {
  enrol(request: EnrolRequest, options?: { readonly signal?: AbortSignal }): Awaitable<EnrolReply>
  renew(request: RenewRequest, options?: { readonly signal?: AbortSignal }): Awaitable<RenewReply>
  trust(
    request: Record<never, never>,
    options?: { readonly signal?: AbortSignal },
  ): Awaitable<Trust>
}

/** A unary method that takes and gives the same at both sides. */
type Unary<In, Out> = Method<'unary', In, In, Out, Out>

/**
 * The authority's service. What goes over it proves itself, in both directions, so that it needs
 * neither TLS nor an account: whoever enrols has none yet.
 */
export const AuthorityService: ServiceDefinition<{
  readonly enrol: Unary<EnrolRequest, EnrolReply>
  readonly renew: Unary<RenewRequest, RenewReply>
  readonly trust: Unary<Record<never, never>, Trust>
}> = defineService('micro.authority', {
  enrol: unary<EnrolRequest, EnrolReply>({ idempotency: 'idempotent' }),
  renew: unary<RenewRequest, RenewReply>({ idempotency: 'idempotent' }),
  trust: unary<Record<never, never>, Trust>({ idempotency: 'no_side_effects' }),
})
