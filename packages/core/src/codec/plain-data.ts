import { MicroError } from '../errors/micro-error.ts'

/** What an encoding can hold, for `checkPlainData`. */
export interface PlainDataRules {
  /** The encoding's name, for errors: `YAML`. */
  readonly format: string
  /** Levels of nesting of objects and arrays. */
  readonly maxDepth: number
  /**
   * Whether it holds a value that is none of text, number, boolean, `null`, array and plain object:
   * a `Date`, a bigint. A string says why it does not. @default it holds none
   */
  readonly holds?: (value: unknown) => boolean | string
  /** Why it does not hold a text, of a key too: `a text that …`. @default it holds all */
  readonly refuseText?: (text: string) => string | undefined
}

/**
 * Refuses what would be changed on its way by an encoding of plain data: class instances, maps, sets,
 * functions, `undefined` in an array, half of a surrogate pair, polluting keys, cycles, and nesting
 * that is too deep. A property that is `undefined` passes, for a codec to leave out.
 *
 * @throws `invalid_argument`, naming the place: `YAML cannot hold user.tags[2]: a Set`.
 */
export function checkPlainData(value: unknown, rules: PlainDataRules): void {
  const why = refusal(value, rules, 0)
  if (why === undefined) return
  const path = why.path.reverse().join('').replace(/^\./, '').slice(0, 200).toWellFormed()
  throw new MicroError(
    'invalid_argument',
    `${rules.format} cannot hold ${path === '' ? 'the message' : path}: ${why.reason}`,
  )
}

/** A key that would reach into a prototype, where objects are built from it carelessly. */
export function isPollutingKey(key: string, value: unknown): boolean {
  if (key === '__proto__') return true
  if (key !== 'constructor') return false
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype')
}

interface Refusal {
  readonly reason: string
  /** From the inside out, so that nothing is built for what passes. */
  readonly path: string[]
}

function refusal(value: unknown, rules: PlainDataRules, depth: number): Refusal | undefined {
  switch (typeof value) {
    case 'number':
    case 'boolean':
      return undefined
    case 'string':
      return refusedText(value, rules)
    case 'object':
      if (value === null) return undefined
      if (Array.isArray(value)) return refusedArray(value, rules, depth + 1)
      if (isPlainObject(value)) return refusedObject(value, rules, depth + 1)
      break
  }
  const held = rules.holds?.(value) ?? false
  if (held === true) return undefined
  return because(held === false ? nameOf(value) : held)
}

function refusedText(value: string, rules: PlainDataRules): Refusal | undefined {
  // Most encodings are UTF-8, which has no halves: they would arrive as something else.
  if (!value.isWellFormed()) return because('a text with half of a surrogate pair')
  const reason = rules.refuseText?.(value)
  return reason === undefined ? undefined : because(reason)
}

function refusedArray(
  values: readonly unknown[],
  rules: PlainDataRules,
  depth: number,
): Refusal | undefined {
  if (depth > rules.maxDepth) return tooDeep(rules)
  // By index, to see the holes too.
  for (let at = 0; at < values.length; at++) {
    const why = refusal(values[at], rules, depth)
    if (why !== undefined) {
      why.path.push(`[${at}]`)
      return why
    }
  }
  return undefined
}

function refusedObject(
  value: Readonly<Record<string, unknown>>,
  rules: PlainDataRules,
  depth: number,
): Refusal | undefined {
  if (depth > rules.maxDepth) return tooDeep(rules)
  for (const key of Object.keys(value)) {
    const inner = value[key]
    if (inner === undefined) continue
    const why =
      refusedText(key, rules) ??
      (isPollutingKey(key, inner)
        ? because('this key is not allowed')
        : refusal(inner, rules, depth))
    if (why !== undefined) {
      why.path.push(`.${key.slice(0, 40)}`)
      return why
    }
  }
  return undefined
}

/** Also one of another realm, or without a prototype. */
function isPlainObject(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return true
  return Object.getPrototypeOf(prototype) === null
}

function tooDeep({ maxDepth }: PlainDataRules): Refusal {
  return because(`it is nested deeper than ${maxDepth} levels, the limit maxDepth, or in a cycle`)
}

function because(reason: string): Refusal {
  return { reason, path: [] }
}

function nameOf(value: unknown): string {
  if (typeof value !== 'object') return value === undefined ? 'undefined' : `a ${typeof value}`
  const made = (value as { constructor?: unknown }).constructor
  const name = typeof made === 'function' ? made.name : 'class'
  return `an instance of ${name.slice(0, 40)}; give plain data`
}
