/**
 * Somebody who got into the network: with an authority of its own for the same trust domain, a
 * certificate that says `billing`, and whatever token it could steal.
 */
import { createService } from '@micro/core'
import { memoryStore } from '@micro/core/store'
import { createAuthority, x509Identity } from '@micro/plugin-identity-x509'
import { tcpTransport } from '@micro/plugin-transport-tcp'
import { answer } from './ask.ts'
import { Billing, Orders } from './contracts.ts'
import { logger, type Place, registryOf, trustDomain } from './fleet.ts'

const place = JSON.parse(process.argv[2] ?? '{}') as Place
const authority = createAuthority({
  store: memoryStore(),
  trustDomain,
  secret: 'as good as any other',
})
const token = await authority.mintToken({ service: 'billing' })
const identity = x509Identity({ service: 'billing', trustDomain, authority, token })
let charged = 0

const rogue = createService({
  name: 'billing',
  logger,
  registry: registryOf(place),
  transports: [tcpTransport({ tls: identity.tls })],
  components: { identity },
  weight: 100,
})
rogue.handle(Billing, {
  charge() {
    charged += 1
    return { by: 'a thief' }
  },
})
await rogue.start()

const bare = createService({
  name: 'thief',
  logger,
  registry: registryOf(place),
  transports: [tcpTransport()],
  shutdown: { signals: false },
})
const once = { retries: 0, timeout: 2_000 }
const withToken = (stolen: string) => ({ metadata: { authorization: `Bearer ${stolen}` }, ...once })

answer({
  charged: async () => charged,
  placeByCertificate: (stolen: string) =>
    rogue.client(Orders).place({ item: 'a diamond' }, withToken(stolen)),
  placeByToken: (stolen: string) =>
    bare.client(Orders).place({ item: 'a diamond' }, withToken(stolen)),
})
