/** The rest of the tour, in one process: messages, records, config, locks and rules, all in memory. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createService, defineService, defineTopic, memoryNetwork, unary } from '@micro/core'
import { storeAccess } from '@micro/core/access'
import { memoryAuth } from '@micro/core/auth'
import { createConfig } from '@micro/core/config'
import { memoryIdentity } from '@micro/core/identity'
import { memoryLogger } from '@micro/core/logger'
import { collection, memoryStore } from '@micro/core/store'
import { MemorySyncBackend, memorySync } from '@micro/core/sync'
import { envSource } from '@micro/plugin-config-env'
import { fileSource } from '@micro/plugin-config-file'
import { z } from 'zod'
import type { Report } from './report.ts'

export async function visitOneProcess(report: Report): Promise<void> {
  await messages(report)
  await records(report)
  await config(report)
  await locks(report)
  await rules(report)
}

async function messages({ title, say, check }: Report): Promise<void> {
  title('A message is handled again until it succeeds')
  const Placed = defineTopic('orders.placed', z.object({ order: z.number(), item: z.string() }))
  const service = createService({
    name: 'billing',
    logger: memoryLogger(),
    shutdown: { signals: false },
  })
  const handled = Promise.withResolvers<number>()
  await service.subscribe(
    Placed,
    ({ value, attempt }) => {
      say(
        `order ${value.order}, delivery ${attempt}: ${attempt < 3 ? 'the card reader is away' : 'paid'}`,
      )
      if (attempt < 3) throw new Error('the card reader is away')
      handled.resolve(attempt)
    },
    { retryDelay: 20 },
  )
  await service.start()
  await service.publish(Placed, { order: 7, item: 'tea' }, { key: 'ada' })
  check((await handled.promise) === 3, 'the third delivery succeeds')
  const refused = await service
    .publish(Placed, { order: 'seven', item: 'tea' } as never)
    .catch((error: Error) => error.message)
  say(`a malformed one is refused: ${refused}`)
  check(String(refused).includes('order'), 'a malformed message is refused by its path')
  await service.stop()
}

async function records({ title, say, check }: Report): Promise<void> {
  title('Records have types, versions and an order')
  await using store = memoryStore()
  const stock = collection(store, {
    name: 'stock',
    schema: z.object({ left: z.number().int().min(0) }),
  })
  for (const item of ['tea', 'coffee', 'cocoa']) await stock.put(item, { left: 10 })
  await Promise.all(
    Array.from({ length: 10 }, () =>
      stock.update('tea', (tea) => tea && { left: tea.left - 1 }, { retries: 100 }),
    ),
  )
  const all = await Array.fromAsync(stock.list())
  say(all.map(({ id, value }) => `${id} ${value.left}`).join(', '))
  check(all.map(({ id }) => id).join() === 'cocoa,coffee,tea', 'records are listed in order')
  check(all[2]?.value.left === 0, 'ten buyers at once are all counted')
}

async function config({ title, say, check }: Report): Promise<void> {
  title('Config is reloaded while running, and a bad update is refused')
  const folder = await mkdtemp(join(tmpdir(), 'micro-tour-'))
  const path = join(folder, 'shop.yaml')
  const write = (text: string): Promise<void> => writeFile(path, text)
  await write('server:\n  port: 8080\n  idleTimeout: 60000\n')
  const schema = z.object({
    server: z.object({ port: z.number().int().max(65_535), idleTimeout: z.number() }),
    db: z.object({ password: z.string() }),
  })
  const env = { SHOP_SERVER__PORT: '9090', SHOP_DB__PASSWORD: 'hunter2' }
  await using settings = createConfig({
    sources: [fileSource({ path }), envSource({ prefix: 'SHOP_', schema, env })],
    schema,
    secrets: ['db.password'],
    coalesce: 5,
  })
  await settings.connect()
  const [port] = settings.explain('server.port')
  const [password] = settings.explain('db.password')
  const [overridden] = port?.overrode ?? []
  say(
    `port ${port?.value} is from ${port?.source}, ${port?.origin}, over ${overridden?.value} from ${overridden?.source}, ${overridden && basename(overridden.origin)}`,
  )
  say(`password ${password?.value} is from ${password?.origin}`)
  check(port?.value === 9090 && overridden?.origin === `${path}:2`, 'a value tells its line')
  check(password?.value === '[secret]', 'a secret is not shown')
  const changed = new Promise<string>((resolve) => {
    settings.onChange('server.idleTimeout', (now, before) => resolve(`${before} → ${now}`))
  })
  await write('server:\n  port: 8080\n  idleTimeout: 90000\n')
  say(`server.idleTimeout: ${await changed}`)
  const refused = new Promise<string>((resolve) => {
    settings.onRejected((error) => resolve(error.detail))
  })
  await write('server:\n  port: 8080\n  idleTimeout: soon\n')
  say(`refused: ${(await refused).replace(folder, '…')}`)
  check(settings.value.server.idleTimeout === 90_000, 'the last good config stays')
  await rm(folder, { recursive: true })
}

async function locks({ title, say, check }: Report): Promise<void> {
  title('A lock passes on when the lease of its holder lapses')
  const backend = new MemorySyncBackend()
  await using anna = memorySync({ backend })
  await using ben = memorySync({ backend })
  const held = await anna.lock('inventory', { ttl: 200 })
  say(`anna holds the lock with token ${held.token}`)
  const lost = new Promise<string>((resolve) => {
    held.lost.addEventListener('abort', () => resolve(String(held.lost.reason.detail)))
  })
  const waiting = ben.lock('inventory', { ttl: 10_000 })
  // Anna's process stalls for longer than its lease lives.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400)
  say(`anna is told: ${await lost}`)
  const next = await waiting
  say(`ben holds it with token ${next.token}`)
  check(next.token > held.token, 'fencing tokens grow')
}

async function rules({ title, say, check }: Report): Promise<void> {
  title('A call is refused until a rule allows it')
  const Vault = defineService('vault', { open: unary<object, string>() })
  const network = memoryNetwork()
  const auth = memoryAuth()
  const access = storeAccess({ store: memoryStore(), defaultDeny: true })
  const shared = { network, logger: memoryLogger(), auth, shutdown: { signals: false } }
  const vault = createService({ ...shared, name: 'vault', access })
  vault.handle(Vault, { open: () => 'gold' })
  await vault.start()
  const subject = { id: 'shop', type: 'service', scopes: ['shop'], metadata: {} }
  const shop = createService({
    ...shared,
    name: 'shop',
    identity: memoryIdentity({ auth, subject }),
  })
  await shop.start()
  const open = (): Promise<string> =>
    shop
      .client(Vault)
      .open({})
      .catch((error: Error) => error.message)
  const refused = await open()
  say(`shop opens the vault: ${refused}`)
  await access.grant({
    id: 'shop-opens',
    access: 'allow',
    scope: 'shop',
    resource: { type: 'service', name: 'vault', endpoint: 'open' },
  })
  const allowed = await open()
  say(`with the rule shop-opens: ${allowed}`)
  check(refused.startsWith('permission_denied'), 'without a rule the call is refused')
  check(allowed === 'gold', 'with the rule it is allowed')
  await shop.stop()
  await vault.stop()
}
