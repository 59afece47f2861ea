import type { Component } from '@micro/core/component'
import { refusal } from './checks.ts'
import { type FaultableMethods, type FaultKind, faultKinds } from './fault.ts'

/**
 * What a method returns: a `promise`; a `watch`, which is a promise of something to iterate; an
 * `iterable` or a transport's `stream`, at once; or, without I/O, an object with methods of its own.
 */
export type MethodShape =
  | 'promise'
  | 'watch'
  | 'iterable'
  | 'stream'
  | { readonly handle: MethodShapes }

export type MethodShapes = Readonly<Record<string, MethodShape>>

const promise = 'promise'

/** The methods of the contracts that do I/O. All others are never faulted. */
const known: Readonly<Record<string, MethodShapes>> = {
  access: { grant: promise, revoke: promise },
  auth: { verify: promise, issue: promise, refresh: promise, revoke: promise },
  broker: { publish: promise, subscribe: promise },
  config: { load: promise, watch: 'iterable' },
  identity: { token: promise },
  registry: { register: promise, deregister: promise, list: promise, watch: 'watch' },
  router: { view: { handle: { ready: promise, changed: promise } } },
  store: {
    read: promise,
    write: promise,
    delete: promise,
    list: 'iterable',
    commit: promise,
    watch: 'watch',
  },
  sync: { lock: promise, leader: { handle: { campaign: promise, observe: 'watch' } } },
  transport: {
    listen: promise,
    dial: { handle: { unary: promise, stream: 'stream', ping: promise } },
  },
}

/** Those that the component really has. @throws `invalid_argument` if there is none. */
export function shapesOf(component: Component, own: MethodShapes | undefined): MethodShapes {
  const kind = component.contract.slice(0, component.contract.indexOf('/'))
  const shapes = Object.entries(own ?? known[kind] ?? {}).filter(
    ([name]) => typeof Reflect.get(component, name) === 'function',
  )
  if (shapes.length > 0) return Object.fromEntries(shapes)
  throw refusal(
    'methods',
    `no method of ${component.contract} "${component.name}" is known to do I/O; say which do, and what they return`,
  )
}

export function faultableMethods(shapes: MethodShapes, prefix = ''): FaultableMethods {
  const methods = new Map<string, readonly FaultKind[]>()
  for (const [name, shape] of Object.entries(shapes)) {
    if (typeof shape === 'string') methods.set(prefix + name, kindsOf(shape))
    else {
      const below = faultableMethods(shape.handle, `${prefix}${name}.`)
      for (const [path, kinds] of below) methods.set(path, kinds)
    }
  }
  return methods
}

function kindsOf(shape: MethodShape): readonly FaultKind[] {
  if (shape === 'watch') return faultKinds
  if (shape === 'promise') return faultKinds.filter((kind) => kind !== 'cut')
  return ['delay', 'drop', 'fail_before', 'cut']
}
