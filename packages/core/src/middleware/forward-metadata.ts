import { Metadata } from '../metadata/metadata.ts'
import type { Middleware } from './middleware.ts'

export interface ForwardMetadataOptions {
  /** Keys that calls made while handling a request pass on: `['x-tenant', 'accept-language']`. */
  readonly keys: readonly string[]
}

/** Server middleware: nested calls carry these keys of the incoming metadata, at any depth. */
export function forwardMetadata(options: ForwardMetadataOptions): Middleware {
  const keys = options.keys.map((key) => key.toLowerCase())
  return (call, next) => {
    if (call.side === 'server' && call.metadata.size > 0) {
      const forwarded = new Metadata(call.context.forwarded)
      for (const key of keys) {
        forwarded.delete(key)
        for (const value of call.metadata.getAll(key)) forwarded.append(key, value)
      }
      if (forwarded.size > 0) call.context.forwarded = forwarded
    }
    return next(call)
  }
}
