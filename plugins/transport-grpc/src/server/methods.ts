import type { CallReceiver, ReceivedMethod } from '@micro/core/transport'
import type { Settings } from '../options.ts'
import type { Target } from './incoming.ts'

/** Finds what answers a path: `/package.Service/Method`. */
export type FindTarget = (path: string) => Target | undefined

/** Built-in methods come after the service's own, which may have health checks of its own. */
export function createFinder(
  receiver: CallReceiver,
  builtIn: readonly Target[],
  { dialect }: Settings,
): FindTarget {
  const targets = new Map<string, Target>()
  for (const target of builtIn) {
    targets.set(`/${target.method.service}/${target.method.name}`, target)
  }
  const own = new Map<string, Target>()

  const look = (service: string, name: string): ReceivedMethod | undefined => {
    const exact = receiver.find(service, name)
    if (exact !== undefined || dialect === 'grpc') return exact
    const last = lastPart(service)
    const all = [...(receiver.methods?.() ?? [])]
    return (
      receiver.find(last, name) ??
      all.find((one) => one.name === name && lastPart(one.service) === last)
    )
  }

  return (path) => {
    const known = own.get(path)
    if (known !== undefined) return known
    const slash = path.lastIndexOf('/')
    const method = slash > 0 ? look(path.slice(1, slash), path.slice(slash + 1)) : undefined
    if (method === undefined) return targets.get(path)
    const target = { method, receiver }
    // Only what is called by its own name: there is no end to the names that fit otherwise.
    if (path === `/${method.service}/${method.name}`) own.set(path, target)
    return target
  }
}

/** All that Micro for Go looks at: `acme.v1.Greeter` is `Greeter`. */
function lastPart(service: string): string {
  return service.slice(service.lastIndexOf('.') + 1)
}
