import { MicroError } from '@micro/core/errors'

/** Source of the format: grpc/grpc, doc/PROTOCOL-HTTP2.md, "Timeout". */
const format = /^(\d{1,8})([HMSmun])$/
const milliseconds: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
}

/** Milliseconds of a `grpc-timeout` header. @throws `invalid_argument`, naming it. */
export function parseTimeout(value: string): number {
  const [, digits, unit] = format.exec(value) ?? []
  if (digits !== undefined && unit !== undefined) return Number(digits) * (milliseconds[unit] ?? 1)
  throw new MicroError(
    'invalid_argument',
    `header grpc-timeout: ${JSON.stringify(value.slice(0, 40))}; give at most 8 digits and a unit of H, M, S, m, u or n`,
    { processed: 'no' },
  )
}

/** The header for what is left, rounded up; `undefined` without a deadline. */
export function formatTimeout(remaining: number): string | undefined {
  if (remaining === Number.POSITIVE_INFINITY) return undefined
  const left = Math.max(1, Math.ceil(remaining))
  if (left < 1e8) return `${left}m`
  if (left < 1e11) return `${Math.ceil(left / 1_000)}S`
  return `${Math.min(Math.ceil(left / 3_600_000), 99_999_999)}H`
}
