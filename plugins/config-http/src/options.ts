import type { DocumentKind } from '@micro/config-documents'
import type { Awaitable } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'

type Headers = Readonly<Record<string, string>>

export interface HttpSourceOptions {
  /** Where the document is, `http:` or `https:`. Redirects are refused: headers may be secret. */
  readonly url: string | URL
  /** Sent with each request: a token, say. Asked for each time if it is a function. @default none */
  readonly headers?: Headers | (() => Awaitable<Headers>)
  /** What the document is written in. @default by its content-type, else by the ending of the URL */
  readonly kind?: DocumentKind
  /** Milliseconds between two looks, more or less a fifth. @default 30000 */
  readonly interval?: number
  /** Milliseconds that a request may take. @default 10000 */
  readonly timeout?: number
  /** Bytes of the document, uncompressed, at most. @default 1 MiB */
  readonly maxBytes?: number
}

export interface Settings {
  readonly url: URL
  /** For messages: without the query, which may hold a secret. */
  readonly place: string
  readonly headers: () => Awaitable<Headers>
  readonly kind: DocumentKind | undefined
  readonly interval: number
  readonly timeout: number
  readonly maxBytes: number
}

/** @throws `invalid_argument` naming the option. */
export function settle(options: HttpSourceOptions): Settings {
  const { headers = {}, kind } = options
  const url = URL.canParse(String(options.url)) ? new URL(options.url) : undefined
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw wrong('url', 'give a URL such as https://config.example/shop.yaml')
  }
  if (url.username !== '' || url.password !== '') {
    throw wrong('url', 'it has a user or password: send them in headers.authorization')
  }
  if (kind !== undefined && !['json', 'yaml', 'toml'].includes(kind)) {
    throw wrong('kind', `${String(kind)}; give 'json', 'yaml' or 'toml'`)
  }
  return {
    url,
    place: url.origin + url.pathname,
    headers: typeof headers === 'function' ? headers : () => headers,
    kind,
    interval: whole('interval', options.interval ?? 30_000, 2 ** 31 - 1),
    timeout: whole('timeout', options.timeout ?? 10_000, 2 ** 31 - 1),
    maxBytes: whole('maxBytes', options.maxBytes ?? 2 ** 20, 2 ** 30),
  }
}

function whole(field: string, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value
  throw wrong(field, `${value}; give a whole number from 1 to ${most}`)
}

function wrong(field: string, why: string): MicroError {
  return new MicroError('invalid_argument', `${field}: ${why}`)
}
