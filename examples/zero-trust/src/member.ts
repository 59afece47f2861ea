/** One service of the fleet, as a process: `node member.ts users|orders|billing|shop <place>`. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createService } from '@micro/core'
import { type Rule, storeAccess } from '@micro/core/access'
import { accountOf } from '@micro/core/auth'
import { memoryStore } from '@micro/core/store'
import { jwtAuth } from '@micro/plugin-auth-jwt'
import { tcpTransport } from '@micro/plugin-transport-tcp'
import { type Actions, answer } from './ask.ts'
import { Billing, Orders, Users } from './contracts.ts'
import { enrol, logger, type Place, registryOf } from './fleet.ts'

const [name = '', told = '{}'] = process.argv.slice(2)
const place = JSON.parse(told) as Place

const { identity } = await enrol(name, place)
const auth = jwtAuth({
  issuer: 'https://shop.example',
  audience: 'shop',
  keys: place.keys as never,
})
const access = storeAccess({ store: memoryStore() })
const rules = await readFile(join(import.meta.dirname, '../rules.json'), 'utf8')
for (const rule of JSON.parse(rules) as Rule[]) await access.grant(rule)

const service = createService({
  name,
  logger,
  registry: registryOf(place),
  transports: [tcpTransport({ tls: identity.tls })],
  identity,
  auth,
  access,
  // Mutual TLS everywhere, known accounts only, and what nobody allows is denied.
  zeroTrust: true,
})

const users = service.client(Users)
const orders = service.client(Orders)
const billing = service.client(Billing)

const handlers: Record<string, () => void> = {
  users() {
    service.handle(Users, {
      async logIn({ name: id }) {
        const person = { id, type: 'user', scopes: ['orders:write'], metadata: {} }
        const tokens = await auth.issue?.(person, { refreshTtl: false })
        return { token: tokens?.accessToken ?? '' }
      },
    })
  },
  orders() {
    service.handle(Orders, {
      async place({ item }, context) {
        // As itself: billing sees the certificate of `orders`, not the person's token.
        const { by } = await billing.charge({ item })
        return { placed: item, by: accountOf(context)?.id ?? 'nobody', charged: `for ${by}` }
      },
      refund: ({ item }) => ({ refunded: item }),
    })
  },
  billing() {
    service.handle(Billing, { charge: (_input, context) => ({ by: accountOf(context)?.id ?? '' }) })
  },
  shop() {},
}
handlers[name]?.()
await service.start()

const withToken = (token: string) => ({ metadata: { authorization: `Bearer ${token}` } })
const actions: Actions = {
  logIn: (person: string) => users.logIn({ name: person }),
  place: ({ item, token }: { item: string; token?: string }) =>
    orders.place({ item }, token === undefined ? {} : withToken(token)),
  refund: (item: string) => orders.refund({ item }),
}
answer(actions)
