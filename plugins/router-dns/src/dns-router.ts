import { Resolver } from 'node:dns/promises'
import { sleep } from '@micro/core/component'
import { type Router, registryRouter } from '@micro/core/router'
import { lookUp } from './look-up.ts'
import { type DnsRouterOptions, settleDns } from './options.ts'
import { watching } from './watch.ts'

/**
 * Routes from DNS, asked again when an answer's time is over. While DNS fails, the last answer holds
 * and health says so.
 *
 * @throws `invalid_argument` naming the option.
 */
export function dnsRouter(options: DnsRouterOptions = {}): Router {
  const settings = settleDns(options)
  const source = watching('dns', async function* (service, signal) {
    // One for each service, so that giving up one question leaves the others alone.
    const resolver = new Resolver({ timeout: settings.timeout, tries: 1 })
    if (settings.servers !== undefined) resolver.setServers([...settings.servers])
    const cancel = (): void => resolver.cancel()
    signal.addEventListener('abort', cancel, { once: true })
    try {
      while (!signal.aborted) {
        const { nodes, ttl } = await lookUp(service, resolver, settings)
        yield { type: 'reset', nodes }
        await sleep(ttl, { signal })
      }
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  })
  return { ...registryRouter({ registry: source }), name: 'dns' }
}
