export { dnsRouter } from './dns-router.ts'
export type { DnsRouterOptions, StaticRouterOptions } from './options.ts'
export { staticRouter } from './static-router.ts'
