import { runCase, type SuiteOptions, type Trait } from '@micro/conformance/kit'
import type { Component } from '@micro/core/component'

/** Names of the cases of `trait` that fail on a component, or do not end within `patience`. */
export async function failuresOf<C extends Component>(
  trait: Trait<C> | undefined,
  options: SuiteOptions<C>,
  patience = 5_000,
): Promise<string[]> {
  if (trait === undefined) throw new Error('no such trait')
  const failed = await Promise.all(
    trait.cases.map(async (one) => {
      const late = Promise.withResolvers<never>()
      const timer = setTimeout(() => late.reject(new Error('it does not end')), patience)
      try {
        await Promise.race([runCase(one, options), late.promise])
        return undefined
      } catch {
        return one.name
      } finally {
        clearTimeout(timer)
      }
    }),
  )
  return failed.filter((name) => name !== undefined)
}
