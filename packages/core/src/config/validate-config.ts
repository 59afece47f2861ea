import { badRequest } from '../errors/bad-request.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { StandardSchema } from '../schema/standard-schema.ts'
import type { Merged } from './merge.ts'
import { matchesAny } from './paths.ts'

/**
 * The schema's output for the merged values.
 *
 * @throws `invalid_argument` naming for each fault its path, where the value comes from, and why.
 */
export async function validateConfig(
  schema: StandardSchema | undefined,
  merged: Merged,
  secrets: readonly string[],
): Promise<unknown> {
  if (schema === undefined) return merged.values
  const result = await schema['~standard'].validate(merged.values)
  if (result.issues === undefined) return result.value
  const faults = result.issues.slice(0, 100).map(({ message, path = [] }) => {
    const at = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.')
    // A schema's message may quote the value.
    const why = matchesAny(secrets, at) ? 'it is not valid (and secret)' : message
    return { field: at, description: `${why} (${originOf(merged, at)})` }
  })
  const list = faults.map(({ field, description }) => `${field || 'config'}: ${description}`)
  throw new MicroError('invalid_argument', list.join('; '), { details: [badRequest(faults)] })
}

/** Of the value itself, of the nearest above, or of some value below. */
function originOf({ statements }: Merged, path: string): string {
  for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
    const last = statements.get(at)?.at(-1)
    if (last !== undefined) return place(last)
  }
  for (const [known, said] of statements) {
    const last = said.at(-1)
    if (last !== undefined && known.startsWith(`${path}.`)) return `from ${last.source}`
  }
  return 'no source gives it'
}

function place({ source, origin }: { source: string; origin: string }): string {
  return origin === source ? `from ${source}` : `from ${source}, ${origin}`
}
