/** Of the messages in a gRPC content-type. Source: grpc/grpc, doc/PROTOCOL-HTTP2.md, "Content-Type". */
const prefix = 'application/grpc'

/** What plain `application/grpc` stands for where it is known; many clients send nothing else. */
const usual = 'application/proto'

/** `application/json` to `application/grpc+json`. */
export function toGrpcType(contentType: string): string {
  return `${prefix}+${contentType.slice(contentType.indexOf('/') + 1)}`
}

/** Whether it is gRPC at all. */
export function isGrpcType(contentType: string | undefined): contentType is string {
  if (contentType?.startsWith(prefix) !== true) return false
  const next = contentType[prefix.length]
  return next === undefined || next === '+' || next === ';'
}

/**
 * The content-type of the messages, of those that the method knows. One that it does not know is made up,
 * so that the receiver can refuse it by name.
 */
export function fromGrpcType(grpcType: string, known: readonly string[]): string {
  const end = grpcType.indexOf(';')
  const subtype = grpcType.slice(prefix.length + 1, end < 0 ? undefined : end).trim()
  if (subtype === '') return known.includes(usual) ? usual : (known[0] ?? usual)
  return (
    known.find((type) => type.slice(type.indexOf('/') + 1) === subtype) ?? `application/${subtype}`
  )
}
