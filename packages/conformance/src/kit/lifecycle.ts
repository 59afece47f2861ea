import type { AbortOptions, Component } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import { expect } from 'vitest'
import type { Case, Trait } from './trait.ts'

/** One method of a contract that does I/O, called with valid arguments. */
export interface Use<C extends Component> {
  readonly name: string
  readonly call: (component: C, options: AbortOptions) => Promise<unknown>
}

/** What holds for every component, shown with each of its methods that do I/O. */
export function lifecycleTrait<C extends Component>(uses: readonly Use<C>[]): Trait<C> {
  return {
    name: 'lifecycle',
    cases: [
      namesItself(),
      {
        name: 'connects twice and at once',
        run: async (harness) => {
          const component = await harness.open()
          await Promise.all([component.connect(), component.connect()])
          await component.connect()
        },
      },
      {
        name: 'closes without having been connected, twice, and at once',
        run: async (harness) => {
          const component = await harness.open()
          await Promise.all([component.close(), component.close()])
          await component.close()
          await component[Symbol.asyncDispose]()
          expect(component.health().status).toBe('down')
        },
      },
      {
        name: 'does not connect again once closed',
        run: async (harness) => {
          const component = await harness.open()
          await component.connect()
          await component.close()
          await expectCode(component.connect(), 'failed_precondition')
        },
      },
      ...uses.flatMap((use) => casesOf(use)),
    ],
  }
}

/** The case that holds for every component there is. */
export function namesItself<C extends Component>(): Case<C> {
  return {
    name: 'names itself, its contract and its health',
    run: async (harness) => {
      const component = await harness.open()
      expect(component.name).toMatch(/^[a-z0-9][a-z0-9-]*$/)
      expect(component.contract).toMatch(/^[a-z]+\/\d+$/)
      await component.connect()
      expect(component.health()).toMatchObject({ status: 'up' })
    },
  }
}

function casesOf<C extends Component>({ name, call }: Use<C>): Case<C>[] {
  return [
    {
      name: `${name} works without a connect before it`,
      run: async (harness) => {
        await call(await harness.open(), {})
      },
    },
    {
      name: `${name} is refused after close`,
      run: async (harness) => {
        const component = await harness.open()
        await component.connect()
        await component.close()
        await expectCode(call(component, {}), 'failed_precondition')
      },
    },
    {
      name: `${name} rejects with the reason of a signal that has been aborted`,
      run: async (harness) => {
        const component = await harness.open()
        await component.connect()
        const reason = new Error('mine')
        const outcome = await outcomeOf(call(component, { signal: AbortSignal.abort(reason) }))
        expect(outcome).toBe(reason)
      },
    },
    {
      name: `${name} settles when the component is closed meanwhile`,
      run: async (harness) => {
        const component = await harness.open()
        await component.connect()
        const outcome = outcomeOf(call(component, {}))
        await component.close()
        const error = await outcome
        // What had been under way may end well; what did not must say why.
        if (error !== undefined) expect(MicroError.is(error), String(error)).toBe(true)
      },
    },
  ]
}

/** What the work rejects with, or `undefined` if it does not. */
export async function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
    return undefined
  } catch (error) {
    return error
  }
}

export async function expectCode(
  work: Promise<unknown>,
  code: MicroError['code'],
): Promise<MicroError> {
  const error = await outcomeOf(work)
  expect(error, `rejects with ${code}`).toMatchObject({ code })
  return error as MicroError
}
