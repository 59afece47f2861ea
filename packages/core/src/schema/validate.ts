import { type Awaitable, isPromise } from '../component/promises.ts'
import { badRequest } from '../errors/bad-request.ts'
import type { Code } from '../errors/codes.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { SchemaResult, StandardSchema } from './standard-schema.ts'

interface SchemaIssue {
  /** `items[2].price`; empty for the value itself. */
  readonly path: string
  readonly message: string
}

/** At most this many issues are told; the rest is a count. */
const issueLimit = 100

/**
 * The schema's output for `value`: at once, if the schema is synchronous.
 *
 * @throws an error of `code` that names every failing path, with a `google.rpc.BadRequest` detail.
 */
export function validate(
  schema: StandardSchema,
  value: unknown,
  code: Code,
  subject: string,
): Awaitable<unknown> {
  const result = schema['~standard'].validate(value)
  return isPromise(result)
    ? result.then((settled) => unwrap(settled, code, subject))
    : unwrap(result, code, subject)
}

function unwrap(result: SchemaResult<unknown>, code: Code, subject: string): unknown {
  if (result.issues === undefined) return result.value
  const issues = result.issues.map(
    ({ message, path }): SchemaIssue => ({ path: formatPath(path ?? []), message }),
  )
  const told = issues.slice(0, issueLimit)
  const rest = issues.length > issueLimit ? `; and ${issues.length - issueLimit} more` : ''
  const list = told.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
  throw new MicroError(code, `${subject}: ${list.join('; ')}${rest}`, {
    details: [badRequest(told.map(({ path, message }) => ({ field: path, description: message })))],
  })
}

function formatPath(path: readonly (PropertyKey | { readonly key: PropertyKey })[]): string {
  let text = ''
  for (const part of path) {
    const key = typeof part === 'object' ? part.key : part
    if (typeof key === 'number') text += `[${key}]`
    else text += text === '' ? String(key) : `.${String(key)}`
  }
  return text
}
