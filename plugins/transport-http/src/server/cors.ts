import type { CorsOptions } from '../options.ts'
import type { FlatHeaders } from './respond.ts'

/** Headers that let the browser of an allowed origin read the answer; none for any other. */
export function corsHeaders(
  cors: CorsOptions | undefined,
  origin: string | undefined,
): FlatHeaders {
  if (cors === undefined || origin === undefined) return []
  if (cors.origins !== '*' && !cors.origins.includes(origin)) return []
  const allowed = cors.origins === '*' ? '*' : origin
  return [
    'access-control-allow-origin',
    allowed,
    'access-control-expose-headers',
    '*',
    'vary',
    'Origin',
  ]
}

/** What a preflight asks: which methods and headers a page may use. */
export function preflightHeaders(cors: CorsOptions, requested: string | undefined): FlatHeaders {
  return [
    'access-control-allow-methods',
    'GET, POST',
    'access-control-allow-headers',
    requested ?? 'content-type, connect-protocol-version, connect-timeout-ms',
    'access-control-max-age',
    cors.maxAge ?? 7_200,
  ]
}
