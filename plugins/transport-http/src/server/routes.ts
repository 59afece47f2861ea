import { jsonCodec } from '@micro/core/codec'
import { MicroError } from '@micro/core/errors'
import type { PlainRoute } from '../options.ts'

export interface RouteMatch {
  readonly service: string
  readonly method: string
  /** The call's input, but for the body: path parameters and query. */
  readonly input: Readonly<Record<string, string | string[]>>
}

export interface RouteTable {
  /** @throws `invalid_argument` for a path that does not decode. */
  match(method: string, path: string, query: string): RouteMatch | undefined
}

interface Compiled {
  readonly route: PlainRoute
  readonly pattern: RegExp
  readonly names: readonly string[]
}

const polluting = new Set(['__proto__', 'constructor', 'prototype'])
const parameter = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g

/** @throws `invalid_argument` for a route that cannot be, naming it. */
export function compileRoutes(routes: readonly PlainRoute[]): RouteTable {
  const compiled = routes.map(compile)
  return {
    match(method, path, query) {
      for (const { route, pattern, names } of compiled) {
        const found = route.method === method ? pattern.exec(path) : null
        if (found === null) continue
        const input: Record<string, string | string[]> = Object.create(null)
        addQuery(input, query)
        // What the path says cannot be overruled by the query.
        for (const [at, name] of names.entries()) input[name] = decode(found[at + 1] as string)
        return { service: route.service, method: route.call, input }
      }
      return undefined
    },
  }
}

const json = jsonCodec().bind({ name: 'body of a plain route' }, 'application/json')

/** The input of the call as JSON: the body's fields, and over them those of path and query. */
export function inputOf({ input }: RouteMatch, body: Uint8Array): Buffer {
  const fields = body.length === 0 ? {} : json?.decode(body)
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw new MicroError('invalid_argument', 'the body must be a JSON object')
  }
  return Buffer.from(JSON.stringify({ ...fields, ...input }))
}

function compile(route: PlainRoute): Compiled {
  const { method, path } = route
  const names = [...path.matchAll(parameter)].map((match) => match[1] as string)
  const wrong =
    !path.startsWith('/') ||
    /[{}]/.test(path.replace(parameter, '')) ||
    names.some((name) => polluting.has(name))
  if (wrong || new Set(names).size !== names.length) {
    throw new MicroError(
      'invalid_argument',
      `httpTransport option routes: "${method} ${path}" is no path such as /users/{id}`,
    )
  }
  const source = path
    .split(parameter)
    .map((part, at) => (at % 2 === 1 ? '([^/]+)' : part.replace(/[.*+?^$()|[\]\\]/g, '\\$&')))
    .join('')
  return { route, pattern: new RegExp(`^${source}$`), names }
}

function addQuery(input: Record<string, string | string[]>, query: string): void {
  if (query === '') return
  for (const [name, value] of new URLSearchParams(query)) {
    if (polluting.has(name))
      throw new MicroError('invalid_argument', `query parameter "${name}" is not allowed`)
    const known = input[name]
    if (known === undefined) input[name] = value
    else if (Array.isArray(known)) known.push(value)
    else input[name] = [known, value]
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch (cause) {
    throw new MicroError(
      'invalid_argument',
      `the path part "${part.slice(0, 100)}" is not valid percent-encoding`,
      { cause },
    )
  }
}
