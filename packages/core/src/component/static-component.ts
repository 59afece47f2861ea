import type { Component } from './component.ts'

/** The component members of something that holds no resource: a codec, a selector, a policy. */
export function staticComponent<const Contract extends string>(
  name: string,
  contract: Contract,
): Component & { readonly contract: Contract } {
  return {
    name,
    contract,
    connect: async () => undefined,
    close: async () => undefined,
    health: () => ({ status: 'up' }),
    [Symbol.asyncDispose]: async () => undefined,
  }
}
