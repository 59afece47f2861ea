/**
 * The sixteen failure codes of gRPC, in snake case.
 *
 * Source: https://grpc.github.io/grpc/core/md_doc_statuscodes.html
 */
export const codes = [
  'cancelled',
  'unknown',
  'invalid_argument',
  'deadline_exceeded',
  'not_found',
  'already_exists',
  'permission_denied',
  'resource_exhausted',
  'failed_precondition',
  'aborted',
  'out_of_range',
  'unimplemented',
  'internal',
  'unavailable',
  'data_loss',
  'unauthenticated',
] as const

export type Code = (typeof codes)[number]

/** gRPC's number of `code`, 1 to 16. */
export function codeToNumber(code: Code): number {
  return codes.indexOf(code) + 1
}

/** The code of gRPC's number; `unknown` for a number outside 1 to 16. */
export function codeFromNumber(number: number): Code {
  return codes[number - 1] ?? 'unknown'
}
