import { Context, rootContext } from '@micro/core/context'
import { Metadata } from '@micro/core/metadata'
import type { CallHead, ReceivedMethod } from '@micro/core/transport'
import { expect, test } from 'vitest'
import { answerOf, frame, rawCall, rawClient } from './support/raw-peer.ts'
import { dial, failure, serve } from './support/serve.ts'

const head = (method: 'Check' | 'Watch'): CallHead => ({
  service: 'grpc.health.v1.Health',
  method,
  kind: method === 'Check' ? 'unary' : 'server_stream',
  idempotency: 'no_side_effects',
  contentType: 'application/proto',
  metadata: new Metadata(),
})
/** A `HealthCheckRequest`, written out. */
const request = (service = ''): Buffer =>
  Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)])
const [serving, notServing, unknown] = [1, 2, 3].map((status) => Buffer.from([0x08, status]))

const methods = (): ReceivedMethod[] => [
  {
    service: 'acme.Greeter',
    name: 'Hello',
    kind: 'unary',
    idempotency: 'unknown',
    contentTypes: ['application/json'],
  },
]

test('Check tells readiness, of the server and of each service', async () => {
  let ready = false
  const { url } = await serve(
    {},
    {
      methods,
      get ready() {
        return ready
      },
    },
  )
  const connection = dial(url)
  const check = async (service?: string) => {
    const context = new Context(rootContext)
    return (await connection.unary(head('Check'), request(service), context)).body
  }
  expect(await check()).toEqual(notServing)
  ready = true
  expect(await check()).toEqual(serving)
  expect(await check('acme.Greeter')).toEqual(serving)
  expect(await failure(check('acme.Nobody'))).toMatchObject({ code: 'not_found' })
})

test('Watch tells changes, services that are not there, and the end', async () => {
  let ready = false
  const listener = await serve(
    {},
    {
      methods,
      get ready() {
        return ready
      },
    },
  )
  const connection = dial(listener.url)
  const watch = async (service?: string) => {
    const stream = connection.stream(head('Watch'), new Context(rootContext))
    await stream.write(request(service))
    await stream.end()
    return stream
  }
  const whole = await watch()
  expect((await whole.next()).value).toEqual(notServing)
  ready = true
  expect((await whole.next()).value).toEqual(serving)
  const nobody = await watch('acme.Nobody')
  expect((await nobody.next()).value).toEqual(unknown)
  // A watch holds up nobody who waits for calls to end.
  await listener.drain()
  expect((await whole.next()).value).toEqual(notServing)
  expect(await failure(whole.next())).toMatchObject({ code: 'unavailable' })
})

test('a server that drains still tells those who ask anew', async () => {
  const listener = await serve()
  await listener.drain()
  const context = new Context(rootContext)
  const { body } = await dial(listener.url).unary(head('Check'), request(), context)
  expect(body).toEqual(notServing)
})

test('without the option there is none, and ping does not need it', async () => {
  const { url } = await serve({ health: false })
  const connection = dial(url)
  const context = new Context(rootContext)
  expect(
    await failure(connection.unary(head('Check'), request(), context) as Promise<unknown>),
  ).toMatchObject({ code: 'unimplemented', processed: 'no' })
  await connection.ping?.(new Context(rootContext))
})

test('a request that is none is refused', async () => {
  const { url } = await serve()
  const stream = rawCall(await rawClient(url), '/grpc.health.v1.Health/Check', {
    'content-type': 'application/grpc',
  })
  stream.end(frame('\xff'))
  expect(await answerOf(stream)).toMatchObject({ 'grpc-status': '3' })
})
