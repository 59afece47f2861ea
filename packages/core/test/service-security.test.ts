import { defineService, defineUncheckedTopic, memoryNetwork, unary } from '@micro/core'
import { type Rule, storeAccess } from '@micro/core/access'
import { accountOf, MemoryAuthBackend, memoryAuth, type Subject } from '@micro/core/auth'
import type { Message } from '@micro/core/broker'
import { memoryIdentity } from '@micro/core/identity'
import { type MemoryLogger, memoryLogger } from '@micro/core/logger'
import { memoryStore } from '@micro/core/store'
import { expect, test } from 'vitest'
import { collect, collectRaw, textOf } from './support/messages.ts'
import { quietService } from './support/services.ts'

const Orders = defineService('orders', { list: unary<object, string>() })
const Placed = defineUncheckedTopic<number>('orders.placed')

/** Services of one fleet share a network, tokens and rules, and deny what no rule allows. */
function fleet() {
  const network = memoryNetwork()
  const backend = new MemoryAuthBackend()
  const store = memoryStore()
  const logger = memoryLogger()
  return {
    network,
    logger,
    rules: storeAccess({ store }),
    /** Without a name it has no identity. */
    make(name?: string) {
      const auth = memoryAuth({ backend })
      const subject: Subject = {
        id: name ?? '',
        type: 'service',
        scopes: [name ?? ''],
        metadata: {},
      }
      return quietService({
        name: name ?? 'nobody',
        network,
        logger,
        auth,
        access: storeAccess({ store, defaultDeny: true }),
        ...(name === undefined ? {} : { identity: memoryIdentity({ auth, subject }) }),
      })
    },
  }
}

function allow(scope: string, type: string, name: string, endpoint: string): Rule {
  const id = `${scope === '*' ? 'any' : scope}.${name}.${endpoint}`
  return { id, access: 'allow', scope, resource: { type, name, endpoint } }
}

function decisionsOf(logger: MemoryLogger) {
  return logger.lines.filter(({ fields }) => fields['audit'] === 'access')
}

test('a call shows who makes it, and is refused until a rule allows it', async () => {
  const { make, rules, logger } = fleet()
  const orders = make('orders')
  orders.handle(Orders, { list: (_input, context) => accountOf(context)?.id ?? 'nobody' })
  await orders.start()
  const shop = make('shop').client(Orders)
  await expect(shop.list({})).rejects.toMatchObject({
    code: 'permission_denied',
    detail: 'this is not allowed',
  })
  await rules.grant(allow('shop', 'service', 'orders', 'list'))
  await expect.poll(() => shop.list({}).catch(() => 'refused')).toBe('shop')
  await expect(make().client(Orders).list({})).rejects.toMatchObject({ code: 'unauthenticated' })
  await expect(make('mail').client(Orders).list({})).rejects.toMatchObject({
    code: 'permission_denied',
  })
  const decisions = decisionsOf(logger)
  expect(decisions[0]).toMatchObject({
    level: 'warn',
    message: 'denied',
    fields: { 'account.id': 'shop', 'resource.name': 'orders', 'access.reason': 'default' },
  })
  expect(decisions.find(({ message }) => message === 'allowed')).toMatchObject({
    level: 'debug',
    fields: { 'account.id': 'shop', 'access.rule': 'shop.orders.list' },
  })
  expect(orders.health().components).toMatchObject({
    auth: { status: 'up' },
    access: { status: 'up' },
    identity: { status: 'up' },
  })
})

test('a message is published and handled as the rules allow, and carries its publisher', async () => {
  const { make, rules, network } = fleet()
  const shop = make('shop')
  await shop.start()
  const billing = make('billing')
  const got = collect<string>()
  await billing.subscribe(Placed, (message: Message<number>, context) =>
    got.add(`${accountOf(context)?.id} ${message.value}`),
  )
  await billing.start()
  const dead = await collectRaw(await network.broker(), 'orders.placed.dead')

  await expect(shop.publish(Placed, 1)).rejects.toMatchObject({ code: 'permission_denied' })
  await rules.grant(allow('shop', 'topic', 'orders.placed', 'publish'))
  await expect.poll(() => shop.publish(Placed, 2).catch(() => 'refused')).toBeUndefined()
  const [refused] = await dead.reached(1)
  expect(refused && textOf(refused)).toBe('2')
  expect(refused?.headers['dead-letter-reason']).toContain('permission_denied')

  await rules.grant(allow('shop', 'topic', 'orders.placed', 'consume'))
  await expect
    .poll(async () => {
      await shop.publish(Placed, 3)
      return got.items.length
    })
    .toBeGreaterThan(0)
  expect(got.items[0]).toBe('shop 3')
  await expect(make().publish(Placed, 4)).rejects.toMatchObject({ code: 'unauthenticated' })
})

test('a message whose token is not valid is given up, not handled as from nobody', async () => {
  const network = memoryNetwork()
  const billing = quietService({ name: 'billing', network, auth: memoryAuth() })
  const got = collect<string>()
  await billing.subscribe(Placed, (message, context) =>
    got.add(`${accountOf(context)?.id} ${message.value}`),
  )
  await billing.start()
  const broker = await network.broker()
  const dead = await collectRaw(broker, 'orders.placed.dead')
  const shop = quietService({ name: 'shop', network })
  await shop.publish(Placed, 1, { headers: { authorization: 'Bearer stolen' } })
  const [refused] = await dead.reached(1)
  expect(refused?.headers).toMatchObject({
    'dead-letter-reason': expect.stringContaining('unauthenticated'),
    'dead-letter-attempts': '1',
  })
  await shop.publish(Placed, 2)
  expect(await got.reached(1)).toEqual(['undefined 2'])
})

test('each message of a batch is decided for its own publisher', async () => {
  const { make, rules, network } = fleet()
  await rules.grant(allow('*', 'topic', 'orders.placed', 'publish'))
  await rules.grant(allow('shop', 'topic', 'orders.placed', 'consume'))
  const dead = await collectRaw(await network.broker(), 'orders.placed.dead')
  const billing = make('billing')
  const got = collect<string>()
  await billing.subscribeBatch(Placed, (messages, context) => {
    for (const { value } of messages) got.add(`${accountOf(context)?.id} ${value}`)
  })
  await billing.start()
  const [shop, mail] = [make('shop'), make('mail')]
  await shop.start()
  await mail.start()
  await Promise.all([
    shop.publish(Placed, 1, { key: 'k' }),
    mail.publish(Placed, 2, { key: 'k' }),
    shop.publish(Placed, 3, { key: 'k' }),
  ])
  expect([...(await got.reached(2))].sort()).toEqual(['undefined 1', 'undefined 3'])
  expect((await dead.reached(1)).map(textOf)).toEqual(['2'])
})
