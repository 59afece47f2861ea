import { MicroError } from '@micro/core/errors'

const reference = /\$\$|\$\{([^}:]*)(?::-([^}]*))?\}/g

/**
 * Replaces `${NAME}` and `${NAME:-default}` in every string; `$$` is a dollar sign. What a variable
 * holds is not looked into again.
 *
 * @throws `invalid_argument` naming path and variable, if one is not set and has no default.
 */
export function substitute(
  value: unknown,
  env: Readonly<Record<string, string | undefined>>,
  path: string,
  depth = 0,
): unknown {
  if (typeof value === 'string') return substituteText(value, env, path)
  // Core refuses what is deeper.
  if (typeof value !== 'object' || value === null || depth > 64) return value
  if (Array.isArray(value)) {
    return value.map((item, at) => substitute(item, env, `${path}[${at}]`, depth + 1))
  }
  // A date of TOML or YAML.
  if (Object.getPrototypeOf(value) !== Object.prototype && Object.getPrototypeOf(value) !== null) {
    return value
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      substitute(inner, env, path === '' ? key : `${path}.${key}`, depth + 1),
    ]),
  )
}

function substituteText(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
  path: string,
): string {
  return text.replace(
    reference,
    (found, name: string | undefined, fallback: string | undefined) => {
      if (found === '$$') return '$'
      if (name === undefined || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
        throw new MicroError(
          'invalid_argument',
          `${path}: "${found}" names no variable; write $$ for $`,
        )
      }
      // As in a shell, `:-` also stands in for a variable that is empty.
      const value = env[name]
      if (value !== undefined && (value !== '' || fallback === undefined)) return value
      if (fallback !== undefined) return fallback
      throw new MicroError('invalid_argument', `${path}: the variable ${name} is not set`)
    },
  )
}
