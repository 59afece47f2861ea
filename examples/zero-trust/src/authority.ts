/** The certificate authority, as a process. */
import { createService } from '@micro/core'
import { memoryStore } from '@micro/core/store'
import { AuthorityService, createAuthority } from '@micro/plugin-identity-x509'
import { httpTransport } from '@micro/plugin-transport-http'
import { answer } from './ask.ts'
import { logger, type Place, registryOf, trustDomain } from './fleet.ts'

const place = JSON.parse(process.argv[2] ?? '{}') as Place
const authority = createAuthority({
  // A store of your choice keeps it; its secrets are encrypted by this one.
  store: memoryStore(),
  secret: 'read it from your vault',
  trustDomain,
  ttl: 60_000,
})
const service = createService({
  name: 'authority',
  logger,
  registry: registryOf(place),
  transports: [httpTransport()],
})
service.handle(AuthorityService, {
  enrol: (request) => authority.enrol(request),
  renew: (request) => authority.renew(request),
  trust: (request) => authority.trust(request),
})
await service.start()

answer({
  mint: (name: string) => authority.mintToken({ service: name }),
  deny: (name: string) => authority.deny({ service: name }),
})
