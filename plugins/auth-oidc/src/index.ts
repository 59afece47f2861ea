/**
 * Auth by the tokens of an OpenID Connect provider, found by discovery and verified by its keys.
 *
 * @example oidcAuth({ issuer: 'https://id.example', audience: 'https://shop.example' })
 * @packageDocumentation
 */
export { oidcAuth } from './oidc-auth.ts'
export type { IntrospectionOptions, OidcAuthOptions } from './options.ts'
