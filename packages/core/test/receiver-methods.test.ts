import { createService, defineService, memoryNetwork, serverStream, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { expect, test } from 'vitest'

test('a receiver lists the methods of all its services, as it finds them', async () => {
  const network = memoryNetwork()
  const service = createService({
    name: 'two',
    network,
    logger: memoryLogger(),
    shutdown: { signals: false },
  })
  service.handle(defineService('one', { get: unary<void, void>() }), { get: () => undefined })
  service.handle(defineService('other', { list: serverStream<void, number>() }), {
    async *list() {},
  })
  await service.start()
  const receiver = network.find(service.nodes[0]?.id as string)
  const methods = [...(receiver?.methods?.() ?? [])]
  const names = methods.map((method) => `${method.service}/${method.name} ${method.kind}`)
  expect(names).toEqual(expect.arrayContaining(['one/get unary', 'other/list server_stream']))
  for (const method of methods) expect(receiver?.find(method.service, method.name)).toBe(method)
  await service.stop()
})
