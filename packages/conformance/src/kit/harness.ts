import { randomUUID } from 'node:crypto'
import type { Component } from '@micro/core/component'

export interface SuiteOptions<C extends Component> {
  /** Backend, for the title of the suite. */
  readonly name: string
  /**
   * Makes one more instance. Same `scope`, same data; any other scope, none of it. The suite closes
   * what it got.
   */
  readonly create: (scope: string) => C | Promise<C>
}

/** What a case works with. Everything it opened is closed when it ends, the last first. */
export interface Harness<C extends Component> {
  /** Fresh for each case. Short, of lower-case letters and digits, so that any backend can use it. */
  readonly scope: string
  /** Another instance, on the case's scope unless told otherwise. */
  open(scope?: string): Promise<C>
  /** Runs when the case ends. */
  defer(work: () => Promise<unknown> | unknown): void
}

export interface OwnedHarness<C extends Component> extends Harness<C> {
  /** @throws the first error of what was deferred; the rest runs all the same. */
  end(): Promise<void>
}

export function createHarness<C extends Component>(options: SuiteOptions<C>): OwnedHarness<C> {
  const scope = newScope()
  const deferred: (() => Promise<unknown> | unknown)[] = []
  return {
    scope,
    async open(other = scope) {
      const component = await options.create(other)
      deferred.push(() => component.close())
      return component
    },
    defer(work) {
      deferred.push(work)
    },
    async end() {
      const errors: unknown[] = []
      for (const work of deferred.splice(0).reverse()) {
        try {
          await work()
        } catch (error) {
          errors.push(error)
        }
      }
      if (errors.length > 0) throw errors[0]
    },
  }
}

export function newScope(): string {
  return `s${randomUUID().replaceAll('-', '').slice(0, 12)}`
}
