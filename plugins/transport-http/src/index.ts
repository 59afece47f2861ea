/**
 * The Connect protocol over HTTP/1.1 and HTTP/2: callable by curl, browsers and every Connect client.
 *
 * ```ts
 * const service = createService({ name: 'greeter', transports: [httpTransport({ port: 8080 })] })
 * ```
 *
 * @packageDocumentation
 */
export { httpTransport } from './http-transport.ts'
export type { CorsOptions, HttpTransportOptions, PlainRoute } from './options.ts'
