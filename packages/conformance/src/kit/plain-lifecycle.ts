import type { Component } from '@micro/core/component'
import { namesItself } from './lifecycle.ts'
import type { Trait } from './trait.ts'

/** What holds for components that may hold no resource, such as loggers, codecs and selectors. */
export function plainLifecycleTrait<C extends Component>(
  /** Some use of it that is not to throw, whatever state it is in. */
  use: (component: C) => void,
): Trait<C> {
  return {
    name: 'lifecycle',
    cases: [
      namesItself(),
      {
        name: 'connects and closes twice and at once, and may be used before, between and after',
        run: async (harness) => {
          const component = await harness.open()
          use(component)
          await Promise.all([component.connect(), component.connect()])
          use(component)
          await Promise.all([component.close(), component.close()])
          use(component)
          await component[Symbol.asyncDispose]()
        },
      },
    ],
  }
}
