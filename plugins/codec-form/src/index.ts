/**
 * Forms, as browsers send them: url-encoded, and multipart with files.
 *
 * ```ts
 * const service = createService({ name: 'uploads', codecs: [jsonCodec(), formCodec()] })
 * ```
 *
 * @packageDocumentation
 */
export type { FormFile } from './fields.ts'
export { formCodec } from './form-codec.ts'
export type { FormCodecOptions } from './options.ts'
