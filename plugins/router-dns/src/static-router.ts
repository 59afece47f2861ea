import type { Node } from '@micro/core/registry'
import { type Router, registryRouter } from '@micro/core/router'
import { type StaticRouterOptions, type StaticSettings, settleStatic } from './options.ts'
import { watching } from './watch.ts'

/**
 * Routes to addresses that do not change.
 *
 * @throws `invalid_argument` naming the option.
 */
export function staticRouter(options: StaticRouterOptions): Router {
  const settings = settleStatic(options)
  const source = watching('static', async function* (service, signal) {
    const urls = Object.hasOwn(settings.services, service) ? settings.services[service] : []
    const nodes = [...new Set(urls)].map((url) => nodeAt(service, url, settings))
    yield { type: 'reset', nodes }
    if (signal.aborted) return
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  })
  return { ...registryRouter({ registry: source }), name: 'static' }
}

function nodeAt(service: string, url: string, settings: StaticSettings): Node {
  const { protocol, host } = new URL(url)
  const scheme = protocol.slice(0, -1)
  const transport = settings.transport ?? (scheme === 'https' ? 'http' : scheme)
  return {
    schema: 1,
    id: host === '' ? url : host,
    service,
    version: '',
    weight: 1,
    labels: {},
    endpoints: [{ transport, url, contentTypes: settings.contentTypes }],
  }
}
