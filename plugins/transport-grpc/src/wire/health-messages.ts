import type { OutgoingHttpHeaders } from 'node:http2'
import { readFields, writeField } from './protobuf.ts'

/** Source: grpc/grpc-proto, grpc/health/v1/health.proto. */
export const healthService = 'grpc.health.v1.Health'

/** `ServingStatus`. */
export type ServingStatus = 'serving' | 'not_serving' | 'service_unknown'

const numbers: Readonly<Record<ServingStatus, number>> = {
  serving: 1,
  not_serving: 2,
  service_unknown: 3,
}

export function writeHealthResponse(status: ServingStatus): Buffer {
  return writeField(1, numbers[status])
}

/** The service that is asked for; empty for the server as a whole. */
export function readHealthRequest(message: Uint8Array): string | undefined {
  const fields = readFields(message)
  return fields && (fields.find(({ number }) => number === 1)?.bytes.toString() ?? '')
}

/**
 * A health check that any gRPC server answers, if only by not knowing the method. It has no message, as
 * the answer alone counts.
 */
export function probeHeaders(authority: string): OutgoingHttpHeaders {
  return {
    ':method': 'POST',
    ':path': `/${healthService}/Check`,
    ':authority': authority,
    'content-type': 'application/grpc+proto',
    te: 'trailers',
    'user-agent': 'micro-ts',
  }
}
