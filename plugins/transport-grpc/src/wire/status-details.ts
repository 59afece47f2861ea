import type { ErrorDetail } from '@micro/core/errors'
import { readFields, writeField } from './protobuf.ts'

/** Trailer with a failure's typed details. Source: grpc/grpc, doc/PROTOCOL-HTTP2.md and google/rpc/status.proto. */
export const detailsTrailer = 'grpc-status-details-bin'

const typePrefix = 'type.googleapis.com/'
const retryInfo = 'google.rpc.RetryInfo'

/** A `google.rpc.Status` in base64, as a `-bin` trailer holds it. */
export function writeStatusDetails(
  code: number,
  message: string,
  details: readonly ErrorDetail[],
): string {
  const parts = [writeField(1, code), writeField(2, message)]
  for (const { type, value } of details) {
    const any = Buffer.concat([writeField(1, typePrefix + type), writeField(2, value)])
    parts.push(writeField(3, any))
  }
  return Buffer.concat(parts).toString('base64').replace(/=+$/, '')
}

/** The details of a `google.rpc.Status`; none where the bytes are not one. */
export function readStatusDetails(status: Uint8Array): ErrorDetail[] {
  return (readFields(status) ?? []).flatMap(({ number, bytes }) => {
    const any = number === 3 ? readFields(bytes) : undefined
    const url = any?.find((field) => field.number === 1)?.bytes.toString()
    if (any === undefined || url === undefined) return []
    const value = any.find((field) => field.number === 2)?.bytes ?? new Uint8Array()
    return [{ type: url.slice(url.lastIndexOf('/') + 1), value: new Uint8Array(value) }]
  })
}

/** Milliseconds of a `google.rpc.RetryInfo` among the details. */
export function retryDelay(details: readonly ErrorDetail[]): number | undefined {
  const info = details.find(({ type }) => type === retryInfo)
  const duration = info && readFields(info.value)?.find(({ number }) => number === 1)
  const parts = duration && readFields(duration.bytes)
  if (parts === undefined) return undefined
  const part = (number: number): number => parts.find((one) => one.number === number)?.value ?? 0
  return part(1) * 1_000 + part(2) / 1_000_000
}
