/**
 * Auth by JSON Web Tokens: issued, refreshed and revoked here, or verified by the keys of others.
 *
 * @example jwtAuth({ issuer: 'https://auth.example', keys: [await generateJwtKey()], store })
 * @packageDocumentation
 */
export { type GenerateJwtKeyOptions, generateJwtKey } from './generate-key.ts'
export { jwksService } from './jwks-service.ts'
export { type JwtAuth, jwtAuth } from './jwt-auth.ts'
export type { JwtAlgorithm, JwtAuthOptions, JwtKey, TrustedIssuer } from './options.ts'
