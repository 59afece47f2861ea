import { MicroError } from '../errors/micro-error.ts'
import type { Methods, ServiceDefinition } from './definition.ts'

const serviceName = /^[A-Za-z][A-Za-z0-9_.-]*$/
const methodName = /^[A-Za-z][A-Za-z0-9_]*$/
/** Keys that a client object cannot have: it would be taken for a promise, or lose its prototype. */
const reserved = new Set(['then', 'constructor', 'prototype', 'toString', 'valueOf'])

/**
 * Names a set of methods; the same value types and serves handlers and clients.
 *
 * @throws `invalid_argument`, naming the service or method and the fix.
 */
export function defineService<const M extends Methods>(
  name: string,
  methods: M,
): ServiceDefinition<M> {
  if (!serviceName.test(name)) {
    throw new MicroError(
      'invalid_argument',
      `service name ${JSON.stringify(name)}: start with a letter; then letters, digits, "_", "." and "-"`,
    )
  }
  for (const key of Object.keys(methods)) {
    if (!methodName.test(key) || reserved.has(key)) {
      throw new MicroError(
        'invalid_argument',
        `method ${JSON.stringify(key)} of service "${name}": start with a letter; then letters, ` +
          `digits and "_"; not one of ${[...reserved].join(', ')}`,
      )
    }
  }
  return { name, methods }
}
