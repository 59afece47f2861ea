import { MicroError } from '../errors/micro-error.ts'

/**
 * Refuses a component that was built for another generation of its contract.
 *
 * @throws `failed_precondition`, naming the component, both generations and the fix.
 */
export function requireContract(
  component: { readonly name: string; readonly contract: string },
  expected: string,
): void {
  if (component.contract === expected) return
  const found = typeof component.contract === 'string' ? component.contract : 'none'
  const kind = expected.slice(0, expected.indexOf('/'))
  throw new MicroError(
    'failed_precondition',
    `the ${kind} "${component.name}" implements contract ${found}, but this @micro/core needs ` +
      `${expected}: install a version of the plugin whose peer range of @micro/core includes the ` +
      'installed one',
  )
}
